"""Whether the first row of a text table is its header."""

from __future__ import annotations

import polars as pl

from cladewise.errors import InputError
from cladewise.taxonomy.formats.column_names import IMAGE_FILE, names_levels, numbering
from cladewise.taxonomy.formats.level_evidence import ROOT_COLUMN
from cladewise.taxonomy.formats.table import Table
from cladewise.taxonomy.problems import Problem, some

NUMBER = r"^[+-]?\d+([.,]\d+)?$"


def repeated_header(table: Table) -> list[Problem]:
    """Rows that are the header once more, as joined files have."""
    if not table.header_line:
        return []
    again = table.frame.select(pl.all_horizontal(pl.col(name).str.strip_chars() == name for name in table.columns))
    rows = again.to_series().arg_true().to_list() if table.columns else []
    return [Problem(table.line(row), "header", "the header once more") for row in rows]


def header_of_levels(table: Table, levels: list[str]) -> list[Problem]:
    """Doubt whether the first row of a level table names its levels.

    A first row of words that headers use is one, and so is one whose first cell stands out from a column that repeats
    all its values. Without either, it may be a label like the others: a warning says so.

    Raises:
        InputError: A cell of the first row is also a label, a number or an image, and the words are none of headers.
    """
    levels = levels[1:] if levels[0] == ROOT_COLUMN else levels
    if not table.header_line or not levels or numbering(levels):
        return []
    known = [names_levels(name) for name in levels]
    if all(known):
        return []
    again = [name for name in levels if _recurs(table, name)]
    foreign = [name for name in levels if pl.Series([name]).str.contains(f"{NUMBER}|{IMAGE_FILE}").any()]
    if again or foreign:
        reason = f"{again[0]!r} is also a label below it" if again else f"{foreign[0]!r} names no level"
        raise InputError(
            "a header that names the columns",
            f"a first row {some(levels)} that could be labels: {reason}",
            at=f"{table.source}:{table.header_line}",
            advice='Pass header="none" if there is no header, or header="first" if it is one.',
        )
    if any(known) or _stands_out(table, levels[0]):
        return []
    text = f'the first row, {some(levels)}, taken for the header; header="none" makes it labels'
    return [Problem(table.header_line, "header-guess", text, "warning")]


def _recurs(table: Table, name: str) -> bool:
    return bool((table.frame[name].str.strip_chars() == name).any())


def _stands_out(table: Table, first: str) -> bool:
    """Whether the first column repeats each of its values, so that a single one on top is no value of it."""
    counts = table.frame[first].value_counts()["count"]
    return table.frame.height >= 4 and bool((counts > 1).all())
