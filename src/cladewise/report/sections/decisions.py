"""Section *Results by decision*: how specific and how correct the answers of each decision rule are."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar

from cladewise.report.comparison import Comparison
from cladewise.report.metric_style import style_of
from cladewise.report.runs.lines import Line
from cladewise.report.sections.section import Section
from cladewise.report.spread_table import SpreadTable, spread_table

INFORMATION_METRICS = ("correct", "info_recall", "info_precision", "info_f1")
DECISION_METRICS = (*INFORMATION_METRICS, "severity", "hd@1")
"""Columns of the table."""


@dataclasses.dataclass(frozen=True)
class DecisionsSection(Section):
    """One row per line and decision, and the text of each decision as ``--decision`` takes it."""

    template: ClassVar[str] = "decisions.html"
    table: SpreadTable
    texts: Mapping[str, str]

    def tables(self) -> Iterator[tuple[str, SpreadTable]]:
        yield self.table.key, self.table


def decision_sections(comparison: Comparison) -> Iterator[DecisionsSection]:
    """The section, if any evaluation records how specific its answers are."""
    if table := decision_table(comparison.lines):
        yield DecisionsSection(table, rule_texts(comparison.lines))


def rule_texts(lines: Sequence[Line]) -> dict[str, str]:
    """Text of every decision by its handle; early evaluations did not record it."""
    every = (evaluation for line in lines for _, found in line.evaluations for evaluation in found)
    return {each.decision: each.rules["decision"] for each in every if "decision" in each.rules}


def decision_table(lines: Sequence[Line]) -> SpreadTable | None:
    """Metrics of every line and decision; ``None`` if no evaluation records how specific its answers are."""
    styles = [style_of(name) for name in DECISION_METRICS]
    table = spread_table("decisions", styles, [(line, decision) for line in lines for decision in line.decisions])
    return table if table and any(style.name in INFORMATION_METRICS for style in table.metrics) else None
