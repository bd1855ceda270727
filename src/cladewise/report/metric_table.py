"""Tables of metrics by group, with spread over seeds, interval over images and difference from the baseline."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import polars as pl

from cladewise.report.metric_style import MetricStyle, best_text, bold, further_metrics, shown_metrics
from cladewise.report.runs.groups import Group
from cladewise.report.runs.intervals import metric_intervals, metric_spread
from cladewise.statistics import Interval, Spread, paired_difference


@dataclasses.dataclass(frozen=True)
class MetricCell:
    """One metric of one group.

    ``interval`` is over the images, ``spread`` over the seeds, and ``difference`` is the paired difference from the
    baseline over the images.
    """

    style: MetricStyle
    interval: Interval
    spread: Spread
    difference: Interval | None
    is_best: bool = False

    @property
    def verdict(self) -> str:
        """``better`` or ``worse`` if the difference's interval excludes 0, otherwise ``even``; empty without one."""
        if self.difference is None:
            return ""
        if not self.difference.excludes(0.0):
            return "even"
        return "better" if self.style.better(self.difference.value) else "worse"


@dataclasses.dataclass(frozen=True)
class MetricRow:
    """One group's cells, in the order of the table's metrics."""

    group: Group
    is_baseline: bool
    cells: tuple[MetricCell, ...]


@dataclasses.dataclass(frozen=True)
class MetricTable:
    """The metrics of a table and its rows, one per group."""

    metrics: tuple[MetricStyle, ...]
    rows: tuple[MetricRow, ...]

    def column(self, metric: str) -> list[MetricCell]:
        """Cells of one metric, one per row."""
        position = [style.name for style in self.metrics].index(metric)
        return [row.cells[position] for row in self.rows]

    @property
    def num_names(self) -> int:
        """Number of leading columns of :meth:`cells` that hold names."""
        return 1

    def frame(self) -> pl.DataFrame:
        """The numbers as fractions, not rounded, one row per group."""
        return pl.DataFrame(
            [
                {"group": row.group.label, "num_seeds": len(row.group.runs)}
                | {
                    f"{cell.style.name}_{part}": value
                    for cell in row.cells
                    for part, value in (
                        ("mean", cell.spread.mean),
                        ("sd", cell.spread.sd),
                        ("low", cell.interval.low),
                        ("high", cell.interval.high),
                    )
                }
                for row in self.rows
            ],
            infer_schema_length=None,
        )

    def cells(self) -> list[list[str]]:
        """The texts of the table as Markdown, the header first."""
        return [
            ["group", *(style.heading for style in self.metrics)],
            *(
                [
                    row.group.label,
                    *(
                        bold(cell.style.with_sd(cell.interval.value, cell.spread.sd), cell.is_best)
                        for cell in row.cells
                    ),
                ]
                for row in self.rows
            ),
        ]


def main_table(groups: Sequence[Group], baseline: Group) -> MetricTable:
    """The main metrics, with differences from the baseline."""
    return _make_table(groups, baseline, shown_metrics(_measured(groups)), with_differences=True)


def further_table(groups: Sequence[Group], baseline: Group) -> MetricTable:
    """All other metrics, without differences."""
    return _make_table(groups, baseline, further_metrics(_measured(groups)), with_differences=False)


def _measured(groups: Sequence[Group]) -> list[str]:
    """Metrics that any group has; some do not apply to every kind of answer."""
    return list(dict.fromkeys(name for group in groups for name in group.metrics))


def _make_table(
    groups: Sequence[Group], baseline: Group, metrics: Sequence[MetricStyle], *, with_differences: bool
) -> MetricTable:
    intervals = metric_intervals(groups, [style.name for style in metrics])
    rows = [
        (
            group,
            [
                MetricCell(
                    style,
                    found[style.name],
                    metric_spread(group, style.name),
                    _difference(group, baseline, style.name) if with_differences else None,
                )
                for style in metrics
            ],
        )
        for group, found in zip(groups, intervals, strict=True)
    ]
    for position in range(len(metrics)):
        _mark_best(rows, position)
    return MetricTable(
        tuple(metrics), tuple(MetricRow(group, group is baseline, tuple(cells)) for group, cells in rows)
    )


def _difference(group: Group, baseline: Group, metric: str) -> Interval | None:
    first, second = group.values(metric), baseline.values(metric)
    if group is baseline or first is None or second is None:
        return None
    return paired_difference(first, second)


def _mark_best(rows: Sequence[tuple[Group, list[MetricCell]]], position: int) -> None:
    """Mark the best of a column, and all values that are printed the same."""
    cells = [cells[position] for _, cells in rows]
    style = cells[0].style
    best = best_text(style, [cell.interval.value for cell in cells])
    for (_, row), cell in zip(rows, cells, strict=True):
        if style.number(cell.interval.value) == best:
            row[position] = dataclasses.replace(cell, is_best=True)
