"""Opening files of scores."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Sequence
from os import PathLike
from pathlib import Path

import numpy as np
import polars as pl

from cladewise.errors import InputError
from cladewise.scores.classes import match_classes
from cladewise.scores.evidence import recognise
from cladewise.scores.formats.kinds import format_of
from cladewise.scores.formats.seen import Seen
from cladewise.scores.joined import joined
from cladewise.scores.labels import labelled
from cladewise.scores.layouts import coverage_note, layout_of
from cladewise.scores.lists import ListedScores, complete, entries_of
from cladewise.scores.options import Missing, Over, ScoreOptions, Unmatched, Values
from cladewise.scores.scores import Scores, WideScores
from cladewise.scores.tables import FloatArray, ListedTable, WideTable, own_columns
from cladewise.taxonomy import Taxonomy

SAMPLE_ROWS = 1000
SAMPLE_CELLS = 1 << 24
LARGEST_HASHED = 1 << 29
"""Size in bytes above which a file is known by its size and modification time instead of its content."""
Files = str | PathLike[str] | Sequence[str | PathLike[str]]


def open_scores(
    files: Files,
    taxonomy: Taxonomy,
    *,
    format: str | None = None,
    values: Values | None = None,
    over: Over | None = None,
    missing: Missing | None = None,
    unmatched: Unmatched = "refuse",
    elsewhere: Sequence[str] = (),
    classes: str | PathLike[str] | Sequence[str] | None = None,
    key: str | None = None,
    class_column: str | None = None,
    score_column: str | None = None,
    label_column: str | None = None,
    columns: Sequence[str] = (),
    labels: str | PathLike[str] | None = None,
    separator: str | None = None,
) -> Scores:
    """Open somebody's scores for the classes of a taxonomy.

    The format is recognised by its content, the classes are found in the tree as labels are, and the meaning of the
    numbers is recognised from the first rows. Whatever could be several things is refused, with the option that
    decides. The scores themselves are read in parts, by :meth:`~cladewise.scores.Scores.parts`.

    Args:
        files: A file, or several that are parts of one table.
        taxonomy: The label tree.
        format: Format of the scores; by default recognised.
        values: Scale of the scores: ``"probabilities"``, ``"log-probabilities"``, ``"logits"`` or ``"percentages"``.
        over: Classes that compete, so that their probabilities sum to 1: ``"leaves"``; ``"nodes"``, leaves and inner
            nodes with mass of their own; ``"levels"``, the classes of each level; ``"totals"``, where the score of a
            node includes all below it; ``"independent"``, none.
        missing: What a row's probabilities lack to 1: ``"impossible"``, so that they are scaled to 1, or
            ``"elsewhere"``, mass of the root.
        unmatched: Classes that are not in the taxonomy: ``"refuse"`` them, or count their mass as ``"elsewhere"``.
        elsewhere: Classes outside the taxonomy, whose mass is that of the root.
        classes: The classes of an array without names, in order: a list, or a text file with one per line.
        key: The column that names the rows.
        class_column: In lists, the column of classes.
        score_column: In lists, the column of scores.
        label_column: The column of true labels.
        columns: Columns of numbers that are no scores.
        labels: A table of true labels, joined by the rows' names.
        separator: The character between the cells of a text table.

    Raises:
        InputError: The format, the meaning of the numbers or a class is unclear, or rows have the same name.

    Example:
        >>> t = Taxonomy.from_paths([("cat", "lion"), ("cat", "lynx"), ("dog",)])
        >>> path = getfixture("tmp_path") / "scores.csv"
        >>> _ = path.write_text("image,lion,lynx,dog\\na.jpg,0.5,0.25,0.25\\n")
        >>> scores = open_scores(path, t)
        >>> [(rows, prediction.log_prob.exp().tolist()) for rows, prediction in scores.parts()]
        [(slice(0, 1, None), [[1.0, 0.75, 0.5, 0.25, 0.25]])]
    """
    options = ScoreOptions(
        format=format,
        values=values,
        over=over,
        missing=missing,
        unmatched=unmatched,
        elsewhere=tuple(elsewhere) if not isinstance(elsewhere, str) else elsewhere,
        classes=classes,
        key=key,
        class_column=class_column,
        score_column=score_column,
        label_column=label_column,
        columns=tuple(columns) if not isinstance(columns, str) else columns,
        labels=labels,
        separator=separator,
    )
    paths = [Path(files)] if isinstance(files, str | PathLike) else [Path(file) for file in files]
    seen = [_seen(path, taxonomy, options) for path in paths]
    table = joined([format_of(each).read(each) for each in seen])
    if not table.num_rows:
        raise InputError("at least one row of scores", "none", at=table.source)
    matched = match_classes(taxonomy, table.classes, options, at=table.source)
    keys, kept = _keys(table)
    found = labelled(keys, kept, taxonomy, options, table.source)
    digest = _digest(paths, taxonomy, options)
    rows = (keys, found.columns, found.targets, found.splits, digest)
    notes = (*dict.fromkeys(note for each in seen for note in each.notes), *table.notes, *_unnamed(table))
    if isinstance(table, ListedTable):
        wide = complete(table, matched.nodes, taxonomy, options)
        if wide is None:
            entries, told = entries_of(table, matched.nodes, taxonomy, options)
            notes = (*notes, *matched.notes, *told, *found.notes)
            return ListedScores(taxonomy, notes, *rows, source=table.source, entries=entries)
        table, options = wide, _with_defaults(options, table)
    reading = recognise(_sample(table), matched.nodes, taxonomy, options, at=table.source)
    layout = layout_of(taxonomy, matched.nodes, reading, at=table.source)
    notes = (*notes, *matched.notes, *reading.notes, *coverage_note(taxonomy, matched.nodes, layout.over), *found.notes)
    return WideScores(taxonomy, notes, *rows, table=table, layout=layout)


def _with_defaults(options: ScoreOptions, table: ListedTable) -> ScoreOptions:
    """The options, with the meaning of the scores that the format defines where none is stated."""
    values, over = options.values or table.values, options.over or table.over
    return dataclasses.replace(options, values=values, over=over)


def _seen(path: Path, taxonomy: Taxonomy, options: ScoreOptions) -> Seen:
    if not path.is_file():
        raise InputError("a file of scores", "a folder" if path.is_dir() else "no such file", at=str(path))
    return Seen(path, taxonomy, options)


def _unnamed(table: WideTable | ListedTable) -> tuple[str, ...]:
    """A sentence on rows without names."""
    return ("The file does not name the rows: they are numbered from 0.",) if table.key is None else ()


def _keys(table: WideTable | ListedTable) -> tuple[pl.Series, pl.DataFrame]:
    """The name of each row, and the other columns.

    Raises:
        InputError: A name is blank or repeated.
    """
    if table.key is None:
        return pl.Series("key", np.arange(table.num_rows)).cast(pl.String), own_columns(table.rows)
    keys = table.rows[table.key].cast(pl.String).fill_null("").alias("key")
    blank = (keys.str.strip_chars() == "").arg_true()
    if blank.len():
        raise InputError("a name in every row", f"none in row {blank[0] + 1}", at=f"{table.source}, {table.key}")
    if keys.is_duplicated().any():
        again = keys.filter(keys.is_duplicated())
        got = f"{again.len():,} rows that share one, such as {again[0]!r}"
        advice = 'If an image has several rows, name a column that tells them apart: key="...".'
        raise InputError("rows with different names", got, at=f"{table.source}, column {table.key!r}", advice=advice)
    return keys, table.rows.drop(table.key)


def _sample(table: WideTable) -> FloatArray:
    rows = max(1, min(SAMPLE_ROWS, SAMPLE_CELLS // max(1, len(table.classes))))
    kept: list[FloatArray] = []
    for block in table.blocks(np.arange(len(table.classes))):
        kept.append(block[:rows])
        rows -= len(kept[-1])
        if rows <= 0:
            break
    if not kept:
        raise InputError("at least one row of scores", "none", at=table.source)
    return np.concatenate(kept)


def _digest(paths: Sequence[Path], taxonomy: Taxonomy, options: ScoreOptions) -> str:
    """Hash of the tree, the options and each file."""
    files = list(paths) + [
        Path(value) for value in (options.labels, options.classes) if isinstance(value, str | PathLike)
    ]
    marks = [(path.name, _mark(path)) for path in files]
    about = {name: value for name, value in options.given().items() if name not in ("labels", "classes")}
    content = json.dumps([taxonomy.fingerprint, about, marks], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()[:32]


def _mark(path: Path) -> str:
    """Hash of a file's content, or of a large file its size and modification time."""
    about = path.stat()
    if about.st_size > LARGEST_HASHED:
        return f"{about.st_size} {about.st_mtime_ns}"
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
