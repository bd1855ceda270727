"""Tables of means and standard deviations over seeds, one row per line or per line and decision."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import polars as pl

from cladewise.records.evaluation import NO_INFERENCE
from cladewise.report.metric_style import MetricStyle, best_text, bold
from cladewise.report.runs.lines import Line
from cladewise.statistics import Spread


@dataclasses.dataclass(frozen=True)
class SpreadCell:
    """One metric of one row over its seeds."""

    style: MetricStyle
    spread: Spread
    is_best: bool


@dataclasses.dataclass(frozen=True)
class SpreadRow:
    """A line, with one decision or independent of it."""

    line: Line
    decision: str | None
    cells: tuple[SpreadCell, ...]

    @property
    def num_seeds(self) -> int:
        """Largest number of runs behind any of the cells."""
        return max(cell.spread.count for cell in self.cells)


@dataclasses.dataclass(frozen=True)
class SpreadTable:
    """The metrics of a table and its rows; ``key`` is its name on the page and among the files."""

    key: str
    metrics: tuple[MetricStyle, ...]
    rows: tuple[SpreadRow, ...]

    @property
    def has_inferences(self) -> bool:
        """Whether any row has an inference other than ``none``."""
        return any(row.line.inference != NO_INFERENCE for row in self.rows)

    @property
    def has_decisions(self) -> bool:
        """Whether the rows are for single decisions."""
        return any(row.decision is not None for row in self.rows)

    @property
    def num_names(self) -> int:
        """Number of leading columns of :meth:`cells` that hold names."""
        return 1 + self.has_inferences + self.has_decisions

    def frame(self) -> pl.DataFrame:
        """The numbers as fractions, not rounded."""
        return pl.DataFrame(
            [
                {"group": row.line.group.label, "inference": row.line.inference}
                | ({"decision": row.decision} if self.has_decisions else {})
                | {"num_seeds": row.num_seeds}
                | {
                    f"{cell.style.name}_{part}": getattr(cell.spread, part)
                    for cell in row.cells
                    for part in ("mean", "sd")
                }
                for row in self.rows
            ],
            infer_schema_length=None,
        )

    def cells(self) -> list[list[str]]:
        """The texts of the table as Markdown, the header first."""
        names = ["group"] + ["inference"] * self.has_inferences + ["decision"] * self.has_decisions
        texts = [[*names, *(style.heading for style in self.metrics)]]
        for row in self.rows:
            place = {"group": row.line.group.label, "inference": row.line.inference, "decision": row.decision or ""}
            numbers = [bold(cell.style.with_sd(cell.spread.mean, cell.spread.sd), cell.is_best) for cell in row.cells]
            texts.append([*(place[name] for name in names), *numbers])
        return texts


def spread_table(
    key: str, styles: Sequence[MetricStyle], places: Sequence[tuple[Line, str | None]]
) -> SpreadTable | None:
    """A table of the metrics and rows that have any value.

    Args:
        key: Its name on the page and among the files.
        styles: Its metrics.
        places: Its rows: a line, and a decision if it matters.

    Returns:
        The table, or ``None`` if there are no values.
    """
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
