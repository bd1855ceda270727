"""True labels of the rows: a column of the scores, or a table of their own."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cladewise.errors import InputError
from cladewise.scores.formats.listing import IMAGE
from cladewise.scores.formats.wide_columns import key_column
from cladewise.scores.options import ScoreOptions
from cladewise.taxonomy import Taxonomy
from cladewise.taxonomy.checks.problems import some
from cladewise.taxonomy.formats.options import ReadOptions
from cladewise.taxonomy.formats.tables.delimited import read_delimited
from cladewise.taxonomy.formats.tables.table import Table, is_parquet, read_parquet_table
from cladewise.taxonomy.names.sameness import loose

LABEL_WORDS = re.compile(
    r"(true|truth|actual|target|gold|groundtruth|reference)?(labels?|class|category|species|taxon|node|target|truth)"
    r"(name|id)?|groundtruth|target|y(true)?|gt"
)
"""Names of columns of true labels, without blanks and joining marks."""
SPLIT_WORDS = re.compile(r"splits?|(sub)?sets?|partitions?|folds?")
_UNLABELLED = -1


@dataclasses.dataclass(frozen=True)
class Labelled:
    """Rows with their true labels.

    Attributes:
        columns: Further columns of the rows.
        targets: Node of each row's label, -1 for none; None if there are no labels at all.
        splits: Split of each row; None if there are none.
        notes: What is not obvious, as sentences.
    """

    columns: pl.DataFrame
    targets: NDArray[np.int64] | None
    splits: pl.Series | None
    notes: tuple[str, ...]


def labelled(keys: pl.Series, columns: pl.DataFrame, taxonomy: Taxonomy, options: ScoreOptions, at: str) -> Labelled:
    """The true labels of rows, and all their further columns.

    Raises:
        InputError: A label is not in the tree, or the table of labels lacks rows or has some of no row.
    """
    notes: list[str] = []
    column = options.label_column
    if options.labels is not None:
        of_images = columns[IMAGE].alias("key") if IMAGE in columns.columns else keys  # several rows may share an image
        found, named, split, notes = _joined(of_images, Path(options.labels), column)
        again = [name for name in found.columns if name in columns.columns]
        columns = pl.DataFrame([*columns.drop(again), *found])
        column, at = named, str(options.labels)
    else:
        split = None
        if column is None:
            alike = [name for name in columns.columns if LABEL_WORDS.fullmatch(loose(name))]
            column = alike[0] if len(alike) == 1 and columns[alike[0]].dtype == pl.String else None
            if column is not None:
                notes.append(f"True labels are in the column {column!r}.")
    if column is None:
        return Labelled(columns, None, None, tuple(notes))
    texts = columns[column].cast(pl.String).fill_null("").str.strip_chars()
    targets = np.full(len(texts), _UNLABELLED, dtype=np.int64)
    there = (texts != "").to_numpy()
    if there.any():
        targets[there] = taxonomy.find(texts.filter(pl.Series(there)), at=at)
    blank = int((~there).sum())
    if blank:
        notes.append(f"{blank:,} of {len(texts):,} rows have no label.")
    return Labelled(columns, targets, columns[split] if split else None, tuple(notes))


def _joined(keys: pl.Series, path: Path, label: str | None) -> tuple[pl.DataFrame, str, str | None, list[str]]:
    """The columns of a table of labels in the order of the rows, the names of its labels and splits, and notes."""
    table = _read(path)
    frame, at = table.frame, str(path)
    key = key_column([name for name in frame.columns if name != label])
    if key is None:
        raise InputError("a column of paths, such as path", some(frame.columns), at=at)
    if label is None:
        alike = [name for name in frame.columns if name != key and LABEL_WORDS.fullmatch(loose(name))]
        if len(alike) != 1:
            got = some(alike or frame.columns)
            raise InputError("one column of labels", got, at=at, advice='Name it with label_column="...".')
        label = alike[0]
    elif label not in frame.columns:
        raise InputError(f"the column {label!r}", some(frame.columns), at=at)
    repeated = frame.filter(frame[key].is_duplicated())
    if repeated.height:
        raise InputError("one row of labels for each key", f"several for {repeated[key][0]!r}", at=at)
    wanted = pl.DataFrame({key: keys.cast(pl.String)})
    found = wanted.join(frame.with_columns(there=pl.lit(value=True)), on=key, how="left", maintain_order="left")
    lacking = found.filter(found["there"].is_null())[key]
    notes: list[str] = []
    if lacking.len() == keys.len() and keys.len():
        advice = f"The scores have keys like {keys[0]!r}, the labels like {frame[key][0]!r}."
        raise InputError("labels of the rows of the scores", "none with a key of theirs", at=at, advice=advice)
    if lacking.len():
        notes.append(f"{lacking.len():,} of {keys.len():,} rows have no label in {at}: {some(lacking.to_list(), 3)}.")
    unused = int((~frame[key].is_in(keys.implode())).sum())
    if unused:
        notes.append(f"{unused:,} rows of {at} have no scores.")
    split = next((name for name in frame.columns if name != label and SPLIT_WORDS.fullmatch(loose(name))), None)
    return found.drop(key, "there").fill_null(""), label, split, notes


def _read(path: Path) -> Table:
    if not path.is_file():
        raise InputError("a table of labels", "no such file", at=str(path))
    if not is_parquet(path) and path.suffix.lower() in (".json", ".jsonl", ".ndjson"):
        raise InputError("a table of labels in CSV, TSV or Parquet", "JSON", at=str(path))
    table = read_parquet_table(path) if is_parquet(path) else read_delimited(path, ReadOptions())
    table.fail([problem for problem in table.problems if problem.kind != "column-name"])
    return table
