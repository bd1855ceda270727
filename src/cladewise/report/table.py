"""The table: every metric of every group with its spread, its interval and its difference from the baseline."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

from cladewise.report.groups import Group
from cladewise.report.metric_style import MetricStyle, best_text, further_metrics, shown_metrics
from cladewise.statistics import Interval, Spread, mean_and_sd, mean_intervals, paired_difference


@dataclasses.dataclass(frozen=True)
class Cell:
    """One metric of one group.

    ``interval`` is about the images and ``spread`` about the seeds; ``difference`` is against the baseline, by image.
    """

    style: MetricStyle
    interval: Interval
    spread: Spread
    difference: Interval | None
    is_best: bool = False

    @property
    def verdict(self) -> str:
        """``better`` or ``worse`` where the interval of the difference excludes 0, else ``even``; empty without one."""
        if self.difference is None:
            return ""
        if not self.difference.excludes(0.0):
            return "even"
        return "better" if self.style.better(self.difference.value) else "worse"


@dataclasses.dataclass(frozen=True)
class Row:
    """One group's cells, in the order of the table's metrics."""

    group: Group
    is_baseline: bool
    cells: tuple[Cell, ...]


@dataclasses.dataclass(frozen=True)
class Table:
    """All rows under their metrics."""

    metrics: tuple[MetricStyle, ...]
    rows: tuple[Row, ...]

    def column(self, metric: str) -> list[Cell]:
        """Cells of one metric, a row each."""
        position = [style.name for style in self.metrics].index(metric)
        return [row.cells[position] for row in self.rows]


def make_table(groups: Sequence[Group], baseline: Group) -> Table:
    """The first table: the main metrics, with differences from the baseline."""
    return _make_table(groups, baseline, shown_metrics(_measured(groups)), with_differences=True)


def further_table(groups: Sequence[Group], baseline: Group) -> Table:
    """The second table: what else was measured, without differences."""
    return _make_table(groups, baseline, further_metrics(_measured(groups)), with_differences=False)


def _measured(groups: Sequence[Group]) -> list[str]:
    """What any group has: not every answer can be measured in every way."""
    return list(dict.fromkeys(name for group in groups for name in group.metrics))


def _make_table(
    groups: Sequence[Group], baseline: Group, metrics: Sequence[MetricStyle], *, with_differences: bool
) -> Table:
    intervals = intervals_of(groups, [style.name for style in metrics])
    rows = [
        (
            group,
            [
                Cell(
                    style,
                    found[style.name],
                    _spread(group, style.name),
                    _difference(group, baseline, style.name) if with_differences else None,
                )
                for style in metrics
            ],
        )
        for group, found in zip(groups, intervals, strict=True)
    ]
    for position in range(len(metrics)):
        _mark_best(rows, position)
    return Table(tuple(metrics), tuple(Row(group, group is baseline, tuple(cells)) for group, cells in rows))


def intervals_of(groups: Sequence[Group], metrics: Sequence[str]) -> list[dict[str, Interval]]:
    """Intervals of the metrics of each group over the images, the seeds averaged.

    All come from one set of resamples, since drawing them is what takes the time. Where per-image values are missing,
    the interval is as it was evaluated.
    """
    values = {(group.index, name): group.values(name) for group in groups for name in metrics}
    keys = {f"{index} {name}": (index, name) for index, name in values}
    found = mean_intervals({key: array for key, place in keys.items() if (array := values[place]) is not None})
    return [
        {name: found.get(f"{group.index} {name}") or _recorded(group, name) for name in metrics} for group in groups
    ]


def _spread(group: Group, metric: str) -> Spread:
    return mean_and_sd([run.evaluation.value(metric) for run in group.runs])


def _difference(group: Group, baseline: Group, metric: str) -> Interval | None:
    first, second = group.values(metric), baseline.values(metric)
    if group is baseline or first is None or second is None:
        return None
    return paired_difference(first, second)


def _recorded(group: Group, metric: str) -> Interval:
    """A metric without per-image values keeps its interval only where a single run gave it."""
    found = group.runs[0].evaluation.metrics.get(metric, Interval(math.nan, math.nan, math.nan, 0))
    if len(group.runs) > 1:
        return Interval(_spread(group, metric).mean, math.nan, math.nan, found.count)
    return found


def _mark_best(rows: Sequence[tuple[Group, list[Cell]]], position: int) -> None:
    """Mark the best of a column, and all that read the same."""
    cells = [cells[position] for _, cells in rows]
    style = cells[0].style
    best = best_text(style, [cell.interval.value for cell in cells])
    for (_, row), cell in zip(rows, cells, strict=True):
        if style.number(cell.interval.value) == best:
            row[position] = dataclasses.replace(cell, is_best=True)
