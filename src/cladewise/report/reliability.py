"""Reliability: whether answers that are given with 80 % are right in 80 % of the cases, level by level."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from cladewise.drawing.palette import NEUTRAL
from cladewise.records import CalibrationBins
from cladewise.report.charts import Chart, blank_figure, plain, thin
from cladewise.report.lines import Line
from cladewise.report.operating import line_meta
from cladewise.report.run import FloatArray

ECE_PREFIX = "ece/"
"""Of the names of the expected calibration error at each level."""

TICKS = list(range(0, 101, 20))

DIAGRAM = 0.72
"""Height of the diagram over the bars that count images, as a share of the chart."""


@dataclasses.dataclass(frozen=True)
class Bins:
    """Answers of a line at one level, pooled over its runs, ``[bin]``; bins without an answer are left out.

    ``count`` is the number of answers per run, that is the mean over the runs; ``low`` and ``high`` are the edges.
    """

    line: Line
    low: FloatArray
    high: FloatArray
    confidence: FloatArray
    accuracy: FloatArray
    count: FloatArray


def reliability_levels(lines: Sequence[Line]) -> list[str]:
    """Levels that any line has a reliability diagram of, coarse to fine."""
    found = dict.fromkeys(level for line in lines for bins in line.reliability() for level in bins)
    known = lines[0].group.runs[0].taxonomy.level_names
    return [name for name in known if name in found] + [name for name in found if name not in known]


def level_bins(lines: Sequence[Line], level: str) -> list[Bins]:
    """The bins of every line at a level, where it has any."""
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
    """Rows of numbers with 0 where a bin is empty, which weighs nothing."""
    return np.nan_to_num(np.array(rows, dtype=np.float64))


def reliability_charts(lines: Sequence[Line]) -> list[Chart]:
    """A chart a level: accuracy against confidence, the diagonal being perfect."""
    return [_chart(index, level, level_bins(lines, level)) for index, level in enumerate(reliability_levels(lines))]


def marker_sizes(count: FloatArray) -> FloatArray:
    """Diameter in pixels of a bin's marker: its area tells the share of the answers that fall into it."""
    return 4 + 14 * np.sqrt(count / max(1.0, float(count.sum())))


def _chart(index: int, level: str, bins: Sequence[Bins]) -> Chart:
    figure = blank_figure(hovermode="closest", title={"text": plain(level), "x": 0.02, "font": {"size": 14}})
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
                name=plain(line.label),
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
                visible=line.is_shown_first,
                meta=line_meta(line),
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
    """The share of the images in each bin; the bin's edges and the number under the pointer."""
    line = entry.line
    edges = zip(100 * entry.low, 100 * entry.high, entry.count.tolist(), strict=True)
    return go.Bar(
        name=plain(line.label),
        x=thin(50 * (entry.low + entry.high)),
        y=thin(100 * entry.count / max(1.0, float(entry.count.sum()))),
        yaxis="y2",
        customdata=[f"{low:.0f} to {high:.0f}% sure: {count:,.4g} images" for low, high, count in edges],
        marker={"color": line.color, "opacity": 0.85, "line": {"width": 0}},
        hovertemplate="%{customdata}<br>%{y:.1f}% of all",
        visible=line.is_shown_first,
        meta=line_meta(line),
    )
