"""Section *Results*: the table of metrics by group."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import ClassVar

from cladewise.report.comparison import Comparison
from cladewise.report.metric_table import MetricTable, further_table
from cladewise.report.runs.groups import Group
from cladewise.report.sections.section import Section


@dataclasses.dataclass(frozen=True)
class ResultsSection(Section):
    """The main metrics with their differences from the baseline, and all others folded away."""

    template: ClassVar[str] = "results.html"
    groups: tuple[Group, ...]
    baseline: Group
    table: MetricTable
    further: MetricTable

    def tables(self) -> Iterator[tuple[str, MetricTable]]:
        for name, table in (("results", self.table), ("more-metrics", self.further)):
            if table.metrics:
                yield name, table


def results_sections(comparison: Comparison) -> Iterator[ResultsSection]:
    """The section, which every page has."""
    further = further_table(comparison.groups, comparison.baseline)
    yield ResultsSection(comparison.groups, comparison.baseline, comparison.results, further)
