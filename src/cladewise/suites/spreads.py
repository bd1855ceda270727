"""Means and deviations over seeds as tables write them, in Markdown and in CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

from cladewise.statistics import Spread

ENDS = ("", "_sd", "_seeds")
"""Ends of the heads of the cells that :func:`spread_cells` gives."""


def spread_cells(spread: Spread | None) -> list[object]:
    """The mean, the deviation and the number of seeds as cells of a CSV file; a single run has no deviation.

    Example:
        >>> spread_cells(Spread(mean=0.5, sd=0.25, count=2)), spread_cells(None)
        ([0.5, 0.25, 2], ['', '', 0])
    """
    if spread is None:
        return ["", "", 0]
    return [spread.mean, spread.sd if spread.count > 1 else "", spread.count]


def csv_text(heads: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """A CSV file.

    Example:
        >>> csv_text(["method", "top1"], [["hxe, slow", 0.5]])
        'method,top1\\n"hxe, slow",0.5\\n'
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(heads)
    writer.writerows(rows)
    return text.getvalue()


def markdown_lines(names: Sequence[str], numbers: Sequence[str], rows: Iterable[Iterable[str]]) -> list[str]:
    """A Markdown table: columns of names on the left, columns of numbers on the right.

    Example:
        >>> print(*markdown_lines(["method"], ["top-1"], [["`lht`", "50.00"]]), sep="\\n")
        | method | top-1 |
        |---|---:|
        | `lht` | 50.00 |
    """
    rule = f"|{'---|' * len(names)}{'---:|' * len(numbers)}"
    return [f"| {' | '.join([*names, *numbers])} |", rule, *(f"| {' | '.join(row)} |" for row in rows)]


def with_deviation(mean: str, sd: str, spread: Spread) -> str:
    """A mean with its deviation, both as they are written; a single run has no deviation.

    Example:
        >>> with_deviation("50.0", "1.0", Spread(mean=0.5, sd=0.01, count=2))
        '50.0 ± 1.0'
    """
    return f"{mean} ± {sd}" if spread.count > 1 else mean


def seeds_note(seeds: int) -> str:
    """A note on the numbers of a table, by the number of runs of each row.

    Example:
        >>> seeds_note(5), seeds_note(1)
        ('Mean ± standard deviation of 5 seeds', 'One seed')
    """
    return f"Mean ± standard deviation of {seeds} seeds" if seeds > 1 else "One seed"
