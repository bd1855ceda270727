"""Detection of whether the first row of a text table is its header."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from cladewise.errors import InputError
from cladewise.taxonomy.checks.problems import Problem, some
from cladewise.taxonomy.formats.tables.column_names import IMAGE_FILE, is_attribute, names_levels, numbering
from cladewise.taxonomy.formats.tables.level_evidence import ROOT_COLUMN
from cladewise.taxonomy.formats.tables.table import Table

ENOUGH_ROWS = 4
MOST_SINGLE = 0.05

HEADER_ADVICE = 'Pass header="none" if there is no header, or header="first" if it is one.'
APART = "Write each table to a file of its own."
MOST_TABLES = 20
NUMBER = r"^[+-]?\d+([.,]\d+)?$"


def repeated_header(table: Table) -> list[Problem]:
    """Problems for rows that repeat the header, as concatenated files have."""
    if not table.header_line:
        return []
    again = table.frame.select(pl.all_horizontal(pl.col(name).str.strip_chars() == name for name in table.columns))
    rows = again.to_series().arg_true().to_list() if table.columns else []
    found = [Problem(table.line(row), "header-again", "the header again") for row in rows]
    return [*found, *_other_headers(table)]


def _other_headers(table: Table) -> list[Problem]:
    """Problems for rows of header words behind a blank line, as sheets with several tables have.

    A word that is also in another row of the column is a label.
    """
    if len(table.columns) < 2 or table.lines is None:
        return []
    behind = np.flatnonzero(np.diff(table.lines, prepend=table.lines[:1]) > 1)
    problems: list[Problem] = []
    for row in behind[:MOST_TABLES].tolist():
        cells = [(name, cell.strip()) for name, cell in table.frame.row(row, named=True).items() if cell.strip()]
        words = [cell for name, cell in cells if _is_heading(cell) and (table.frame[name] == cell).sum() == 1]
        if len(cells) > 1 and len(words) == len(cells):
            text = f"another header, {some(words)}, behind a blank line"
            problems.append(Problem(table.line(row), "header-again", text, advice=APART))
    return problems


def _is_heading(cell: str) -> bool:
    return cell == cell.lower() and (names_levels(cell) or is_attribute(cell))


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
