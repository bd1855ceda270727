"""Checks the columns and published figures of tables, on one dataset."""

from __future__ import annotations

import math

from cladewise.catalogue import nearest
from cladewise.errors import InputError
from cladewise.suites.columns import check_columns, column, is_cost
from cladewise.suites.entries import ALL, Published, TableEntry
from cladewise.suites.suite import Suite


def check_table(suite: Suite, table: TableEntry) -> None:
    """Check a table of a suite on one dataset.

    Raises:
        InputError: A column or a published row does not exist, or the published figures do not fit the columns.
    """
    check_columns(suite, table)
    if table.rows not in (ALL, "published"):
        raise InputError("rows to be all or published", repr(table.rows))
    if table.across:
        if not any(suite.variant(label).condition for label in suite.methods_of(table)):
            raise InputError("[[condition]] entries for a table with across = true", "none")
        if table.published:
            raise InputError("no published figures in a table with across = true", len(table.published))
    seen: set[tuple[str, str, str]] = set()
    for published in suite.published_of(table):
        place = _check_published(suite, table, published)
        if place in seen:
            raise InputError("published figures of a row once", f"{_named(published)} twice")
        seen.add(place)
    _check_unit(table)


def _check_published(suite: Suite, table: TableEntry, published: Published) -> tuple[str, str, str]:
    """The row that published figures are about."""
    at, known = f"published {_named(published)}", suite.methods_of(table)
    if published.row not in known:
        expected = f"a row of the table: {', '.join(known)}"
        raise InputError(expected, repr(published.row), at=at, advice=nearest(published.row, known))
    rules = suite.rules_of(table)
    for what, one, given, there in (
        ("inference", "an inference", published.inference, list(dict.fromkeys(infer for infer, _ in rules))),
        ("decision", "a decision", published.decision, list(dict.fromkeys(decide for _, decide in rules))),
    ):
        if given and given not in there:
            raise InputError(
                f"{one} of the table: {', '.join(there)}", repr(given), at=at, advice=nearest(given, there)
            )
        if not given and len(there) > 1:
            raise InputError(f"{what}, one of {', '.join(there)}", "none", at=at)
    if len(published.values) != len(table.columns):
        expected = f"{len(table.columns)} values, one per column, nan where there is none"
        raise InputError(expected, len(published.values), at=at)
    for name, value in zip(table.columns, published.values, strict=True):
        if not math.isnan(value) and not (0 <= value <= 100 if column(name).is_share else 0 <= value < math.inf):
            unit = "a percentage from 0 to 100" if column(name).is_share else "a number of at least 0"
            raise InputError(f"{unit} for {name}", value, at=at)
    return (published.row, published.inference or rules[0][0], published.decision or rules[0][1])


def _check_unit(table: TableEntry) -> None:
    """Shares are in percent: several in one row, or all of the table, that are at most 1 are not."""
    rows = [
        [
            value
            for name, value in zip(table.columns, row.values, strict=False)
            if column(name).is_share and not is_cost(name) and not math.isnan(value)
        ]
        for row in table.published
    ]
    for shares in (*(row for row in rows if len(row) > 1), [value for row in rows for value in row]):
        if shares and 0 < max(shares) <= 1:
            raise InputError("published shares in percent", f"at most {max(shares)}", advice="Multiply them by 100.")


def _named(published: Published) -> str:
    return ", ".join(part for part in (published.row, published.inference, published.decision, published.data) if part)
