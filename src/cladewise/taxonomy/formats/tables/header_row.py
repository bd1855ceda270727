"""Detection of whether the first row of a text table is its header."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from cladewise.errors import InputError
from cladewise.taxonomy.checks.problems import Problem, some
from cladewise.taxonomy.formats.tables.column_names import IMAGE_FILE, names_levels, numbering
from cladewise.taxonomy.formats.tables.level_evidence import ROOT_COLUMN
from cladewise.taxonomy.formats.tables.table import Table

ENOUGH_ROWS = 4
MOST_SINGLE = 0.05

HEADER_ADVICE = 'Pass header="none" if there is no header, or header="first" if it is one.'
NUMBER = r"^[+-]?\d+([.,]\d+)?$"


def repeated_header(table: Table) -> list[Problem]:
    """Problems for rows that repeat the header, as concatenated files have."""
    if not table.header_line:
        return []
    again = table.frame.select(pl.all_horizontal(pl.col(name).str.strip_chars() == name for name in table.columns))
    rows = again.to_series().arg_true().to_list() if table.columns else []
    return [Problem(table.line(row), "header-again", "the header again") for row in rows]


def header_problems(table: Table, levels: Sequence[str]) -> list[Problem]:
    """Problems if it is doubtful whether the first row names the columns.

    A first row of typical header words or single letters is a header. One of other words is accepted with a warning if
    some are known, or if its first cell is unique in a column that repeats nearly all its values.

    Raises:
        InputError: The first row could be labels.
    """
    levels = levels[1:] if levels[:1] == [ROOT_COLUMN] else levels
    known = [names_levels(name) or (len(name) == 1 and name.isalpha()) for name in levels]
    if not table.header_line or numbering(levels) or all(known):
        return []
    again = [name for name in levels if (table.frame[name].str.strip_chars() == name).any()]
    foreign = [name for name in levels if pl.Series([name]).str.contains(f"{NUMBER}|{IMAGE_FILE}").any()]
    if not again and not foreign and (any(known) or _stands_out(table, levels[0])):
        text = f"the first row, {some(levels)}, read as the header"
        return [] if sum(known) * 2 >= len(known) else [Problem(table.header_line, "header-guess", text, "warning")]
    reason = "none is a typical header word"
    if again:
        reason = f"{again[0]!r} is also a label below it"
    elif foreign:
        reason = f"{foreign[0]!r} is not a level"
    comment = levels[0].startswith("#")
    raise InputError(
        "a header that names the columns",
        f"a first row {some(levels)} that could be {'a comment' if comment else f'labels: {reason}'}",
        at=f"{table.source}:{table.header_line}",
        advice="Remove the lines above the header." if comment else HEADER_ADVICE,
    )


def _stands_out(table: Table, first: str) -> bool:
    """Whether nearly all values of a column repeat, so that a unique one on top is its header."""
    counts = table.frame[first].value_counts()["count"]
    single = int((counts == 1).sum())
    return table.frame.height >= ENOUGH_ROWS and single <= MOST_SINGLE * table.frame.height
