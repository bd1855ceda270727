"""Evidence for and against the columns of a table being levels, from coarse to fine."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence

import polars as pl

from cladewise.taxonomy.formats.options import argument
from cladewise.taxonomy.formats.tables.column_names import (
    FINEST_WORDS,
    RANKS,
    is_attribute,
    last_word,
    names_levels,
    numbering,
    ranks_of,
    squeezed,
)
from cladewise.taxonomy.formats.tables.table import Table

FEW_ROWS = 3
"""Fewest rows for which it is no coincidence that two columns are unique in every row."""

DEPTH_WORDS = ("level", "depth", "indent", "tier", "rank", "taxonrank", "ebene", "stufe", "niveau", "nivel", "层级")
TITLE_WORDS = ("title", "name", "label", "description", "text", "titel", "bezeichnung", "beschreibung")
"""Suffixes that distinguish a column of names from its column of codes."""

SPECIES_NAMES = ("scientificname", "sciname", "latinname", "binomial", "commonname", "vernacularname", "name")

ROOT_COLUMN = "root"
"""A first column of this name with a constant value is the label of the root."""

OUTLINE = r"^(?:\s+\S|\s*[├└│]|\s*[-*+] )"

NESTED_SETS = (("lft", "rgt"), ("left", "right"), ("treeleft", "treeright"))
CODE = r"^[A-Z]?\d{1,9}$"
EDGES = "Then pass the columns with id, parent and name."

PATH_MARKS = (">", "/", ";", "|", "::", "\t")


@dataclasses.dataclass(frozen=True)
class Doubt:
    """The reason why columns are not levels, and the options to fix that."""

    text: str
    advice: str = ""


def doubt_levels(table: Table, names: Sequence[str]) -> Doubt | None:
    """The first reason against columns being levels; None if they nest from coarse to fine.

    Columns named as ranks, or numbered, are levels by their names; others have to nest by their values.
    """
    doubt = _doubt_columns(table, names)
    return None if doubt is None else _nested_set(table, names) or _prefixes(table, names) or doubt


def _doubt_columns(table: Table, names: Sequence[str]) -> Doubt | None:
    if len(names) > 1 and names[0] == ROOT_COLUMN and table.frame[ROOT_COLUMN].n_unique() == 1:
        names = names[1:]
    depths = next((name for name in names if len(names) > 1 and _holds_depths(table, name)), None)
    if depths is not None:
        return Doubt(f"{depths!r} says how deep each row lies", "Write the parent of every row in a column of its own.")
    attributes = [name for name in names if is_attribute(name)] or _codes(table, names)
    if attributes and len(names) > 1:
        levels = _by_rank(names) or [name for name in names if name not in attributes]
        attributes = [name for name in names if name not in levels]
        text = f"{next(filter(is_attribute, attributes), attributes[0])!r} describes nodes and is not a level"
        return Doubt(text, _advice(levels or names[1:], attributes) if levels else "")
    order = (ranks_of(names) or numbering(names)) if table.named else []
    if order:
        return None if order == sorted(order) else _reversed(names, [names[order.index(k)] for k in sorted(order)])
    return _edges(table, names) or _unique(table, names) or _order(table, names) or _paths(table, names)


def _nested_set(table: Table, names: Sequence[str]) -> Doubt | None:
    """Doubt because two columns hold the bounds of a nested set: whole numbers, all different."""
    by_word = {squeezed(name): name for name in names}
    pair = next(((by_word[a], by_word[b]) for a, b in NESTED_SETS if a in by_word and b in by_word), None)
    if pair is None:
        return None
    bounds = pl.concat([table.frame[name].str.strip_chars().cast(pl.Int64, strict=False) for name in pair])
    if bounds.null_count() or bounds.is_duplicated().any():
        return None
    text = f"{pair[0]!r} and {pair[1]!r} are the bounds of a nested set"
    return Doubt(text, f"Write the parent of every row in a column: the row with the nearest bounds around. {EDGES}")


def _prefixes(table: Table, names: Sequence[str]) -> Doubt | None:
    """Doubt because codes extend the codes of other rows, as in NAICS or ISCO."""
    for name in names:
        codes = table.frame[name].str.strip_chars()
        if table.frame.height < FEW_ROWS or codes.is_duplicated().any() or not codes.str.contains(CODE).all():
            continue
        numbers = codes.str.extract(r"(\d+)").cast(pl.Int64)
        if int(numbers.max()) - int(numbers.min()) < 2 * numbers.len():  # type: ignore[arg-type]
            continue  # they count the rows
        known = codes.implode()
        shorter = pl.any_horizontal(pl.col("code").str.head(-cut).is_in(known) for cut in range(1, 4))
        longer = codes.alias("code").to_frame().filter(pl.col("code").str.len_chars() > codes.str.len_chars().min())
        if longer.height and float(longer.select(shorter).to_series().mean() or 0.0) >= 0.9:  # type: ignore[arg-type]
            text = f"codes in {name!r} extend those of other rows, which are their parents"
            return Doubt(text, f"Write the parent's code of every row in a column. {EDGES}")
    return None


def _holds_depths(table: Table, name: str) -> bool:
    """Whether a column named level, depth or rank contains the level of its row: a number or a rank."""
    if squeezed(name) not in DEPTH_WORDS:
        return False
    cells = table.frame[name].str.strip_chars().str.to_lowercase()
    return bool((cells.str.contains(r"^\d{1,2}$") | cells.is_in(RANKS) | (cells == "")).all())


def _codes(table: Table, names: Sequence[str]) -> list[str]:
    """Columns of codes before their column of names, one to one: ``Segment`` before ``Segment Title``."""
    titled = [
        (code, title)
        for code, title in itertools.pairwise(names)
        if squeezed(title).removeprefix(squeezed(code)) in TITLE_WORDS and squeezed(title).startswith(squeezed(code))
    ]
    pairs = [(code, _filled(table.frame, code, title)) for code, title in titled]
    return [code for code, pair in pairs if pair.height > 1 and all(pair[:, k].is_unique().all() for k in (0, 1))]


def _by_rank(names: Sequence[str]) -> list[str]:
    """The columns named after ranks, with scientific names for the species; empty if there are fewer than two."""
    ranks = sorted((name for name in names if squeezed(name) in RANKS), key=lambda name: RANKS.index(squeezed(name)))
    if len(ranks) < 2:
        return []
    species = [name for name in names if squeezed(name) in SPECIES_NAMES]
    return ranks if "species" in map(squeezed, ranks) else [*ranks, *species[:1]]


def _advice(levels: Sequence[str], columns: Sequence[str] = ()) -> str:
    kept = f" and {argument('columns', columns)}" if columns else ""
    return f"For a level table pass {argument('levels', levels)}{kept}."


def _reversed(names: Sequence[str], levels: Sequence[str]) -> Doubt:
    return Doubt(f"the columns do not run from coarse to fine ({names[0]!r} first)", _advice(levels))


def _filled(frame: pl.DataFrame, first: str, second: str) -> pl.DataFrame:
    """The distinct pairs of non-blank values of two columns."""
    pairs = frame.select(pl.col(first, second))
    return pairs.filter(pl.all_horizontal(pl.all().str.strip_chars() != "")).unique()


def _order(table: Table, names: Sequence[str]) -> Doubt | None:
    """A column with one value for each of the column before it, and fewer of them, is the coarser of the two.

    A chance of few rows is not taken for it where both are called as levels.
    """
    for first, second in itertools.pairwise(names):
        pairs = _filled(table.frame, first, second)
        called = table.named and names_levels(first) and names_levels(second) and last_word(first) not in FINEST_WORDS
        if pairs.height < (FEW_ROWS if called else 2) or not pairs[first].is_unique().all():
            continue
        if pairs[second].is_unique().all():
            continue
        count = {name: table.frame[name].n_unique() for name in names}
        levels = sorted(names, key=lambda name: count[name])
        nests = all(_filled(table.frame, *pair)[pair[1]].is_unique().all() for pair in itertools.pairwise(levels))
        others = [] if nests else [second]
        levels = levels if nests else [name for name in names if name != second]
        text = f"{second!r} is coarser than {first!r}: each value of {first!r} has one of {second!r}"
        return Doubt(text, _advice(levels, others))
    return None


def _edges(table: Table, names: Sequence[str]) -> Doubt | None:
    """Doubt because most values of a column occur in another, unique one, as parents do."""
    frame = table.frame
    keys = [name for name in names if frame.height > 1 and frame[name].is_unique().all()]
    for key, parent in ((key, parent) for key in keys for parent in names if parent != key):
        own = frame.filter((pl.col(parent) != pl.col(key)) & (pl.col(parent).str.strip_chars() != ""))[parent].unique()
        if own.len() and float(own.is_in(frame[key].implode()).mean() or 0.0) >= 0.5:  # type: ignore[arg-type]
            text = f"values of {parent!r} are also values of {key!r}, as parents are in an edge list"
            return Doubt(text, f"For an edge list pass {argument('name', key)} and {argument('parent', parent)}.")
    return None


def _unique(table: Table, names: Sequence[str]) -> Doubt | None:
    """Doubt because several columns are unique: one is the finest level, the others are ids or notes."""
    if table.frame.height < FEW_ROWS or (table.named and all(names_levels(name) for name in names)):
        return None
    unique = [name for name in names if table.frame[name].is_unique().all()]
    if len(unique) < 2 or not (table.named or names[0] in unique):
        return None
    last = max((k for k, name in enumerate(names) if name not in unique), default=-1)
    finest = names[last + 1] if table.named and last + 1 < len(names) else unique[-1]
    levels = [name for name in names if name not in unique or name == finest]
    others = [name for name in unique if name != finest]
    text = f"{finest!r} and {others[-1]!r} both have a different value in every row"
    return Doubt(text, _advice(levels, others))


def _paths(table: Table, names: Sequence[str]) -> Doubt | None:
    """Doubt because the only column contains paths, or the lines of an outline."""
    if len(names) != 1:
        return None
    cells = table.frame[names[0]]
    if int(cells.str.contains(r"\S {2,}\S").sum()) * 10 >= cells.len() * 9 > 9:
        return Doubt("one column with gaps of blanks in it", "Write a comma or a tab between the cells.")
    if int(cells.str.contains(OUTLINE).sum()) * 4 >= cells.len() > 1:
        text = "one column whose values are indented, as an outline is"
        return Doubt(text, "Give each level a column of its own, or write a YAML list with a ':' behind every parent.")
    for mark in PATH_MARKS:
        share = float(cells.str.contains(mark, literal=True).mean() or 0.0)  # type: ignore[arg-type]
        if cells.len() > 1 and (share >= 0.9 or (share >= 0.5 and (mark == ">" or _begin_with_others(cells, mark)))):
            text = f"one column whose values have {mark!r} in them, as paths do"
            return Doubt(
                text, f"Pass {argument('format', 'paths')} if they are, or {argument('format', 'levels')} if not."
            )
    return None


def _begin_with_others(cells: pl.Series, mark: str) -> bool:
    """Whether the first step of a value is itself a value, as that of ``food/fruit`` if ``food`` is one."""
    tops = cells.filter(cells.str.contains(mark, literal=True)).str.split(mark).list.first()
    return bool(tops.is_in(cells.implode()).any())
