"""Long tables: one row per image and class, such as pybioclip's."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import polars as pl

from cladewise.errors import InputError
from cladewise.parquet import read_parquet
from cladewise.scores.classes import ScoredClass
from cladewise.scores.formats.delimited import as_numbers, read_texts
from cladewise.scores.formats.listing import from_entries
from cladewise.scores.formats.seen import Seen
from cladewise.scores.formats.taxa import RANKS, by_label_line, by_ranks, is_label_line
from cladewise.scores.formats.wide_columns import key_column
from cladewise.scores.tables import ListedTable
from cladewise.taxonomy.checks.problems import some
from cladewise.taxonomy.names.sameness import folded, loose

CLASS_WORDS = re.compile(
    r"(predicted|predictions?|pred|top|scientific)?(labels?|class(es)?|classifications?|categor(y|ies)|species|taxon|name)"
    r"(name|id)?|predictions?|predicted|preds?"
)
SCORE_WORDS = re.compile(
    r"(score|conf|confidence|prob|probs|probability|probabilities|proba|likelihood|logit|logits|softmax)s?(score|value)?"
)
RANK_WORDS = re.compile(r"rank|k|position|top|topk|order|n")
EPITHET, COMMON = "species_epithet", "common_name"


def score_column(names: Sequence[str]) -> str | None:
    """The column of scores, if exactly one is called so."""
    found = [name for name in names if SCORE_WORDS.fullmatch(loose(name))]
    return found[0] if len(found) == 1 else None


def class_column(names: Sequence[str]) -> str | None:
    """The column of classes, if exactly one is called so."""
    found = [name for name in names if CLASS_WORDS.fullmatch(loose(name))]
    return found[0] if len(found) == 1 else None


def rank_columns(names: Sequence[str]) -> list[str]:
    """The columns of ranks, coarse to fine; none unless there are two or more, or one of them alone is the class."""
    by_name = {folded(name): name for name in names}
    return [by_name[rank] for rank in RANKS if rank in by_name]


def read(seen: Seen) -> ListedTable:
    """Read a long table.

    A class is given by one column, or by columns of ranks, as pybioclip writes them: the finest name that a row has is
    its class, and the others tell homonyms apart.

    Raises:
        InputError: The columns of images, classes or scores are not clear.
    """
    frame = whole(seen)
    return from_frame(frame, seen)


def from_frame(frame: pl.DataFrame, seen: Seen) -> ListedTable:
    """Lists from a long table."""
    at, options, names = str(seen.path), seen.options, frame.columns
    for name in (options.key, options.class_column, options.score_column, options.label_column):
        if name is not None and name not in names:
            raise InputError(f"the column {name!r}", some(names, 12), at=at)
    score = options.score_column or score_column(names)
    if score is None:
        raise InputError("one column of scores", some(names, 12), at=at, advice='Name it with score_column="...".')
    ranks = [] if options.class_column else rank_columns([name for name in names if name != options.label_column])
    free = [name for name in names if name not in (score, options.label_column)]
    key = options.key or key_column([name for name in free if name not in ranks and not _is_class(name)])
    if key is None:
        raise InputError("a column that names the images", some(names, 12), at=at, advice='Pass key="...".')
    named = options.class_column or class_column([name for name in free if name != key])
    if named is None and not ranks:
        raise InputError("one column of classes", some(names, 12), at=at, advice='Name it with class_column="...".')
    frame = _exploded(frame, score, at)
    drop = [name for name in names if RANK_WORDS.fullmatch(loose(name)) and name not in (key, options.label_column)]
    if len(ranks) >= 2 or (ranks and named in (None, *ranks)):
        common = next((name for name in names if folded(name) == COMMON), None)
        used = [*ranks, *([common] if common else [])]
        texts = frame.select(pl.col(used).cast(pl.String).fill_null(""))
        distinct = texts.unique(maintain_order=True)
        classes = [by_ranks(row[: len(ranks)], row[len(ranks)] if common else "") for row in distinct.iter_rows()]
        place = distinct.with_columns(__class=pl.Series(np.arange(distinct.height)))
        class_of = texts.join(place, on=used, how="left", maintain_order="left")["__class"].to_numpy()
        drop += [*used, *(name for name in names if folded(name) == EPITHET)]
    else:
        assert named is not None
        texts = frame[named].cast(pl.String).fill_null("")
        distinct = texts.unique(maintain_order=True)
        classes = [by_label_line(text) if is_label_line(text) else ScoredClass(text) for text in distinct]
        place = pl.DataFrame({named: distinct, "__class": np.arange(distinct.len())})
        joined = pl.DataFrame({named: texts}).join(place, on=named, how="left", maintain_order="left")
        class_of = joined["__class"].to_numpy()
        drop.append(named)
    return from_entries(frame, key, classes, class_of, score, drop=list(dict.fromkeys(drop)), source=at)


def _exploded(frame: pl.DataFrame, score: str, at: str) -> pl.DataFrame:
    """A table whose cells are lists as one with an entry per row.

    Raises:
        InputError: Lists were written as text, which NumPy and pandas do in CSV.
    """
    if frame[score].dtype == pl.String and bool(frame[score].str.starts_with("[").any()):
        advice = "Write a column per rank (timm: --results-separate-col), Parquet or JSON."
        raise InputError("a score in every row", f"{frame[score][0]:.60}", at=f"{at}, column {score!r}", advice=advice)
    if not isinstance(frame[score].dtype, pl.List | pl.Array):
        return frame
    frame = frame.with_columns(pl.col(pl.Array).arr.to_list()) if pl.Array in map(type, frame.dtypes) else frame
    lists = [name for name, kind in frame.schema.items() if isinstance(kind, pl.List)]
    lengths = frame.select(pl.col(lists).list.len())
    odd = next((name for name in lists if not lengths[name].equals(lengths[score])), None)
    if odd is not None:
        raise InputError(f"lists in {odd!r} as long as those in {score!r}", "others", at=at)
    if (lengths[score] == 0).any():
        raise InputError("a class in every list", "an empty list", at=at)
    return frame.explode(lists)


def _is_class(name: str) -> bool:
    return CLASS_WORDS.fullmatch(loose(name)) is not None


def whole(seen: Seen) -> pl.DataFrame:
    """All columns of a table."""
    if seen.schema is not None:
        if seen.start.startswith(b"PAR1"):
            return read_parquet(seen.path)
        import pyarrow.feather as feather

        frame = pl.from_arrow(feather.read_table(seen.path))
        assert isinstance(frame, pl.DataFrame)
        return frame
    if seen.head is None:
        raise InputError("a table", seen.said, at=str(seen.path))
    texts = read_texts(seen.head, seen.head.names)
    decimal = seen.head.decimal
    return texts.select(
        as_numbers(column, decimal) if SCORE_WORDS.fullmatch(loose(column.name)) else column for column in texts
    )
