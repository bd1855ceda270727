"""Section *Reliability of the probabilities*: accuracy against confidence at each level, and calibration errors."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import plotly.graph_objects as go
import polars as pl

from cladewise.drawing.palette import NEUTRAL
from cladewise.records import CalibrationBins
from cladewise.records.metric_names import MetricText
from cladewise.report.charts import Chart, blank_figure, chart_text, thin
from cladewise.report.comparison import Comparison
from cladewise.report.metric_style import MetricStyle
from cladewise.report.runs.lines import Line, shown_and_by_inference
from cladewise.report.runs.run import FloatArray
from cladewise.report.sections.section import Section
from cladewise.report.spread_table import SpreadTable, spread_table

if TYPE_CHECKING:
    from matplotlib.figure import Figure


ECE_PREFIX = "ece/"
"""Prefix of the names of the expected calibration error at each level."""
TICKS = list(range(0, 101, 20))
DIAGRAM = 0.72
"""Share of the chart's height for the diagram; the rest is for the bars that count images."""


@dataclasses.dataclass(frozen=True)
class Bins:
    """Answers of a line at one level in bins of confidence ``[bin]``, pooled over its runs, without empty bins.

    ``count`` is the mean number of answers per run; ``low`` and ``high`` are the edges.
    """

    line: Line
    low: FloatArray
    high: FloatArray
    confidence: FloatArray
    accuracy: FloatArray
    count: FloatArray


@dataclasses.dataclass(frozen=True)
class ReliabilitySection(Section):
    """Reliability diagrams of all lines by level, and the calibration errors."""

    template: ClassVar[str] = "reliability.html"
    lines: tuple[Line, ...]
    by_level: Mapping[str, Sequence[Bins]]
    calibration: SpreadTable | None

    @property
    def charts(self) -> Sequence[Chart]:
        return self._charts

    @cached_property
    def _charts(self) -> Sequence[Chart]:
        return [_chart(index, level, bins) for index, (level, bins) in enumerate(self.by_level.items())]

    @property
    def has_calibration(self) -> bool:
        """Whether lines are shown that differ only in calibration."""
        shown = [line for line in self.lines if line.is_shown_with_its_calibration]
        return any(not line.is_shown_first for line in shown)

    def drawings(self) -> Iterator[tuple[str, Figure]]:
        for ending, lines in shown_and_by_inference(self.lines).items():
            found = {level: [each for each in bins if each.line in lines] for level, bins in self.by_level.items()}
            if any(found.values()):
                yield f"reliability{ending}", reliability_drawing(found)

    def frames(self) -> Iterator[tuple[str, pl.DataFrame]]:
        yield "reliability", _bin_rows(self.by_level)

    def tables(self) -> Iterator[tuple[str, SpreadTable]]:
        if self.calibration:
            yield self.calibration.key, self.calibration


def reliability_sections(comparison: Comparison) -> Iterator[ReliabilitySection]:
    """The section, if any evaluation has reliability diagrams."""
    lines = comparison.lines
    if by_level := {level: level_bins(lines, level) for level in reliability_levels(lines)}:
        yield ReliabilitySection(lines, by_level, calibration_table(lines))


def calibration_table(lines: Sequence[Line]) -> SpreadTable | None:
    """The expected calibration error at each level; ``None`` if no evaluation has any."""
    styles = [MetricStyle(ECE_PREFIX + level, MetricText(level, False, "")) for level in reliability_levels(lines)]
    return spread_table("calibration", styles, [(line, None) for line in lines])


def reliability_levels(lines: Sequence[Line]) -> list[str]:
    """Levels at which any line has a reliability diagram, coarse to fine."""
    found = dict.fromkeys(level for line in lines for bins in line.reliability() for level in bins)
    known = lines[0].group.runs[0].taxonomy.level_names
    return [name for name in known if name in found] + [name for name in found if name not in known]


def level_bins(lines: Sequence[Line], level: str) -> list[Bins]:
    """The bins of every line that has any at a level."""
    found = [(line, [bins[level] for bins in line.reliability() if level in bins]) for line in lines]
    return [_pool(line, contents) for line, contents in found if contents]


def _pool(line: Line, contents: Sequence[CalibrationBins]) -> Bins:
    count = np.array([content.count for content in contents], dtype=np.float64)
    total = count.sum(axis=0)
    there = total > 0
    mean = {
        name: (count * _filled([getattr(content, name) for content in contents])).sum(axis=0)[there] / total[there]
        for name in ("confidence", "accuracy")
    }
    edges = np.linspace(0, 1, total.size + 1)
    return Bins(
        line, edges[:-1][there], edges[1:][there], mean["confidence"], mean["accuracy"], total[there] / len(contents)
    )


def _filled(rows: Sequence[Sequence[float]]) -> FloatArray:
    """Rows of numbers with 0 for empty bins, which have no weight."""
    return np.nan_to_num(np.array(rows, dtype=np.float64))


def marker_sizes(count: FloatArray) -> FloatArray:
    """Diameter of each bin's marker in pixels; its area grows with the bin's share of the answers."""
    return 4 + 14 * np.sqrt(count / max(1.0, float(count.sum())))


def _chart(index: int, level: str, bins: Sequence[Bins]) -> Chart:
    figure = blank_figure(hovermode="closest", title={"text": chart_text(level), "x": 0.02, "font": {"size": 14}})
    figure.add_trace(
        go.Scatter(
            x=[0, 100],
            y=[0, 100],
            mode="lines",
            line={"color": NEUTRAL, "width": 1.2, "dash": "4px,4px"},
            hoverinfo="skip",
        )
    )
    for entry in bins:
        line = entry.line
        figure.add_trace(
            go.Scatter(
                name=chart_text(line.label),
                x=thin(100 * entry.confidence),
                y=thin(100 * entry.accuracy),
                customdata=thin(entry.count),
                mode="lines+markers",
                line={"color": line.color, "dash": line.dash, "width": 1.6},
                marker={
                    "size": thin(marker_sizes(entry.count)),
                    "color": line.color,
                    "opacity": 0.8,
                    "line": {"width": 0},
                },
                hovertemplate="%{x:.1f}% sure, %{y:.1f}% right<br>%{customdata:,.4~g} images",
                visible=line.is_shown_with_its_calibration,
                meta=line.meta,
            )
        )
        figure.add_trace(_counts(entry))
    figure.update_layout(margin_t=40, barmode="group", bargap=0.12, bargroupgap=0)
    figure.update_xaxes(title={"text": "confidence, %"}, range=[-4, 104], tickvals=TICKS, anchor="y2")
    figure.update_yaxes(title={"text": "accuracy, %"}, range=[-4, 104], tickvals=TICKS)
    figure.update_layout(
        yaxis={"domain": [1 - DIAGRAM, 1]},
        yaxis2={
            "domain": [0, 1 - DIAGRAM - 0.06],
            "title": {"text": "images, %", "font": {"size": 13}},
            "rangemode": "tozero",
            "nticks": 3,
            "automargin": True,
        },
    )
    return Chart(f"reliability-{index}", figure, 420, f"Accuracy against confidence at {level}, with images per bin.")


def _counts(entry: Bins) -> go.Bar:
    """Bars of the share of images in each bin; edges and number are shown on hover."""
    line = entry.line
    edges = zip(100 * entry.low, 100 * entry.high, entry.count.tolist(), strict=True)
    return go.Bar(
        name=chart_text(line.label),
        x=thin(50 * (entry.low + entry.high)),
        y=thin(100 * entry.count / max(1.0, float(entry.count.sum()))),
        yaxis="y2",
        customdata=[f"{low:.0f} to {high:.0f}% sure: {count:,.4g} images" for low, high, count in edges],
        marker={"color": line.color, "opacity": 0.85, "line": {"width": 0}},
        hovertemplate="%{customdata}<br>%{y:.1f}% of all",
        visible=line.is_shown_with_its_calibration,
        meta=line.meta,
    )


def reliability_drawing(by_level: Mapping[str, Sequence[Bins]]) -> Figure:
    """Accuracy against confidence, one panel per level."""
    from cladewise.drawing.paper import PERCENT_TICKS, add_legend, paper, stroke

    columns = min(4, len(by_level))
    rows = math.ceil(len(by_level) / columns)
    with paper(max(3.2, 2.5 * columns), 2.6 * rows + 0.5) as figure:
        panels = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
        for place, (axes, (level, found)) in enumerate(zip(panels.flat, by_level.items(), strict=False)):
            axes.plot([0, 100], [0, 100], color=NEUTRAL, linewidth=0.9, linestyle="--")
            for bins in found:
                x, y, line = 100 * bins.confidence, 100 * bins.accuracy, bins.line
                axes.plot(x, y, label=line.label, **stroke(line.color, line.dash), linewidth=1.2)
                axes.scatter(x, y, s=(0.7 * marker_sizes(bins.count)) ** 2, color=line.color, linewidths=0)
            axes.set(xlim=(-4, 104), ylim=(-4, 104), title=level, aspect="equal")
            axes.set(xticks=PERCENT_TICKS, yticks=PERCENT_TICKS)
            axes.set_xlabel("confidence, %" if place // columns == rows - 1 else "")
            axes.set_ylabel("accuracy, %" if place % columns == 0 else "")
        for axes in panels.flat[len(by_level) :]:
            axes.set_axis_off()
        add_legend(figure, panels.flat[0])
    return figure


def _bin_rows(by_level: Mapping[str, Sequence[Bins]]) -> pl.DataFrame:
    """One row per level, line and bin."""
    return pl.concat(
        pl.DataFrame(
            {
                "level": level,
                "group": bins.line.group.label,
                "inference": bins.line.inference,
                "confidence": bins.confidence,
                "accuracy": bins.accuracy,
                "num_images": bins.count,
            }
        )
        for level, found in by_level.items()
        for bins in found
    )
