"""Confidence intervals of a group's metrics over the images."""

from __future__ import annotations

import math
from collections.abc import Sequence

from cladewise.report.runs.groups import Group
from cladewise.statistics import Interval, Spread, mean_and_sd, mean_intervals


def metric_intervals(groups: Sequence[Group], metrics: Sequence[str]) -> list[dict[str, Interval]]:
    """Interval of each metric over the images, for every group, averaged over its seeds.

    All intervals share one set of bootstrap resamples, since drawing them takes most of the time. A metric without
    per-image values keeps the interval of its evaluation.
    """
    values = {(group.index, name): group.values(name) for group in groups for name in metrics}
    keys = {f"{index} {name}": (index, name) for index, name in values}
    found = mean_intervals({key: array for key, place in keys.items() if (array := values[place]) is not None})
    return [
        {name: found.get(f"{group.index} {name}") or _recorded(group, name) for name in metrics} for group in groups
    ]


def metric_spread(group: Group, metric: str) -> Spread:
    """Mean and standard deviation of a metric over the seeds."""
    return mean_and_sd([run.evaluation.value(metric) for run in group.runs])


def _recorded(group: Group, metric: str) -> Interval:
    """Interval recorded by the evaluation; with several runs only their mean, without bounds."""
    found = group.runs[0].evaluation.metrics.get(metric, Interval(math.nan, math.nan, math.nan, 0))
    if len(group.runs) > 1:
        return Interval(metric_spread(group, metric).mean, math.nan, math.nan, found.count)
    return found
