"""Tables of means and deviations over seeds, a row for each way of answering."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from cladewise.records.metric_names import MetricText
from cladewise.report.evaluation import NO_INFERENCE
from cladewise.report.lines import Line
from cladewise.report.metric_style import OPERATING_METRICS, MetricStyle, best_text, style_of
from cladewise.report.reliability import ECE_PREFIX, reliability_levels
from cladewise.statistics import Spread

INFORMATION_METRICS = ("correct", "info_recall", "info_precision", "info_f1")
DECISION_METRICS = (*INFORMATION_METRICS, "severity", "hd@1")
"""Columns of the table of decisions."""


@dataclasses.dataclass(frozen=True)
class SpreadCell:
    """One metric of one row over its seeds."""

    style: MetricStyle
    spread: Spread
    is_best: bool


@dataclasses.dataclass(frozen=True)
class SpreadRow:
    """A line, by one decision or by whichever."""

    line: Line
    decision: str | None
    cells: tuple[SpreadCell, ...]

    @property
    def num_seeds(self) -> int:
        """The most runs behind any of the cells."""
        return max(cell.spread.count for cell in self.cells)


@dataclasses.dataclass(frozen=True)
class SpreadTable:
    """Rows under their metrics. ``key`` names it in the page and among the files."""

    key: str
    metrics: tuple[MetricStyle, ...]
    rows: tuple[SpreadRow, ...]

    @property
    def has_inferences(self) -> bool:
        """Whether any row has an inference worth a column."""
        return any(row.line.inference != NO_INFERENCE for row in self.rows)

    @property
    def has_decisions(self) -> bool:
        """Whether the rows differ in the decision."""
        return any(row.decision is not None for row in self.rows)


def operating_table(lines: Sequence[Line]) -> SpreadTable | None:
    """The seven columns of every line; ``None`` where no evaluation has any."""
    return _table("operating-table", [style_of(name) for name in OPERATING_METRICS], [(line, None) for line in lines])


def decision_table(lines: Sequence[Line]) -> SpreadTable | None:
    """What each decision answers; ``None`` where no evaluation says how specific it is."""
    styles = [style_of(name) for name in DECISION_METRICS]
    table = _table("decisions", styles, [(line, decision) for line in lines for decision in line.decisions])
    return table if table and any(style.name in INFORMATION_METRICS for style in table.metrics) else None


def calibration_table(lines: Sequence[Line]) -> SpreadTable | None:
    """The expected calibration error at each level; ``None`` where no evaluation has any."""
    styles = [MetricStyle(ECE_PREFIX + level, MetricText(level, False, "")) for level in reliability_levels(lines)]
    return _table("calibration", styles, [(line, None) for line in lines])


def _table(key: str, styles: Sequence[MetricStyle], places: Sequence[tuple[Line, str | None]]) -> SpreadTable | None:
    """The metrics that any row has, and the rows that have any."""
    found = [
        (line, decision, {style.name: line.spread(style.name, decision) for style in styles})
        for line, decision in places
    ]
    found = [row for row in found if any(spread.count for spread in row[2].values())]
    styles = [style for style in styles if any(row[2][style.name].count for row in found)]
    if not found:
        return None
    best = {style.name: best_text(style, [row[2][style.name].mean for row in found]) for style in styles}
    rows = [
        SpreadRow(
            line,
            decision,
            tuple(SpreadCell(s, spreads[s.name], s.number(spreads[s.name].mean) == best[s.name]) for s in styles),
        )
        for line, decision, spreads in found
    ]
    return SpreadTable(key, tuple(styles), tuple(rows))
