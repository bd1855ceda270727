"""What training took, group by group."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

from cladewise.records.metric_names import MetricText
from cladewise.records.resources import RESOURCE_TEXTS, resource_number
from cladewise.report.groups import Group
from cladewise.statistics import mean_and_sd


@dataclasses.dataclass(frozen=True)
class ResourceRow:
    """One group: each number as a text, mean and deviation over its runs."""

    group: Group
    cells: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class ResourceTable:
    """The numbers that any run has, and the groups."""

    texts: tuple[MetricText, ...]
    rows: tuple[ResourceRow, ...]


def resource_table(groups: Sequence[Group]) -> ResourceTable | None:
    """What the runs of each group took; ``None`` where none says."""
    values = {
        name: [[run.resources.value(name) for run in group.runs if run.resources is not None] for group in groups]
        for name in RESOURCE_TEXTS
    }
    known = [name for name, of in values.items() if any(not math.isnan(value) for found in of for value in found)]
    if not known:
        return None
    rows = [
        ResourceRow(group, tuple(_cell(name, values[name][place]) for name in known))
        for place, group in enumerate(groups)
    ]
    return ResourceTable(tuple(RESOURCE_TEXTS[name] for name in known), tuple(rows))


def _cell(name: str, values: Sequence[float]) -> str:
    spread = mean_and_sd(values)
    mean = resource_number(name, spread.mean)
    varies = spread.count > 1 and spread.sd > 0
    return f"{mean} ± {resource_number(name, spread.sd)}" if varies else mean
