"""Section *Configuration and training cost*: what training took, and how to repeat it."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar

from cladewise.records.metric_names import MetricText
from cladewise.records.resources import RESOURCE_TEXTS, resource_number
from cladewise.report.comparison import Comparison
from cladewise.report.runs.groups import Group
from cladewise.report.sections.section import Section
from cladewise.statistics import mean_and_sd


@dataclasses.dataclass(frozen=True)
class ResourceRow:
    """One group's numbers as texts, each a mean and standard deviation over its runs."""

    group: Group
    cells: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class ResourceTable:
    """The numbers that any run recorded, one row per group."""

    texts: tuple[MetricText, ...]
    rows: tuple[ResourceRow, ...]


@dataclasses.dataclass(frozen=True)
class ProvenanceSection(Section):
    """Training cost, and the configuration of each group by its index."""

    template: ClassVar[str] = "provenance.html"
    groups: tuple[Group, ...]
    resources: ResourceTable | None
    configs: Mapping[int, str]


def provenance_sections(comparison: Comparison) -> Iterator[ProvenanceSection]:
    """The section, which every page has."""
    groups = comparison.groups
    configs = {group.index: (group.shown_run.folder / "config.toml").read_text(encoding="utf-8") for group in groups}
    yield ProvenanceSection(groups, resource_table(groups), configs)


def resource_table(groups: Sequence[Group]) -> ResourceTable | None:
    """Training cost of each group; ``None`` if no run recorded it."""
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
