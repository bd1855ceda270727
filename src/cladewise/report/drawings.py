"""The page's curves and diagrams as pictures on paper: same colours, names and order; no display needed."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cladewise.atomic import replacing
from cladewise.report.figure import DASH_ARRAYS, NEUTRAL
from cladewise.report.lines import Line
from cladewise.report.operating import MeanCurve, Measure, lowest
from cladewise.report.reliability import Bins, marker_sizes

STYLE: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#b9beba",
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#eceae4",
    "xtick.color": "#4d5652",
    "ytick.color": "#4d5652",
    "text.parse_math": False,  # a name may hold a dollar sign
    "svg.hashsalt": "cladewise",  # equal runs give equal files
    "svg.fonttype": "none",
}
TICKS = range(0, 101, 20)
DOTS_PER_INCH = 200
LEGEND_COLUMNS = 4


def operating_drawing(measure: Measure, curves: Sequence[MeanCurve]) -> Figure:
    """A measure against the information recall, a line and its band each."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(6.4, 4.2), layout="constrained")
        axes = figure.add_subplot()
        for curve in curves:
            recall, mean, sd = 100 * curve.recall, 100 * curve.mean[measure.name], 100 * curve.sd[measure.name]
            axes.plot(recall, mean, label=curve.line.label, **_stroke(curve.line), linewidth=1.6)
            if len(curve.curves) > 1:
                low, high = np.maximum(mean - sd, 0), np.minimum(mean + sd, 100)
                axes.fill_between(recall, low, high, color=curve.line.color, alpha=0.16, linewidth=0)
        axes.set(
            xlim=(0, 101),
            ylim=(lowest(measure, curves), 101),
            xlabel="information recall, %",
            ylabel=measure.axis,
        )
        _legend(figure, axes)
    return figure


def reliability_drawing(by_level: Mapping[str, Sequence[Bins]]) -> Figure:
    """Accuracy against confidence, a panel a level."""
    columns = min(4, len(by_level))
    rows = math.ceil(len(by_level) / columns)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(max(3.2, 2.5 * columns), 2.6 * rows + 0.5), layout="constrained")
        panels = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
        for place, (axes, (level, found)) in enumerate(zip(panels.flat, by_level.items(), strict=False)):
            axes.plot([0, 100], [0, 100], color=NEUTRAL, linewidth=0.9, linestyle="--")
            for bins in found:
                x, y = 100 * bins.confidence, 100 * bins.accuracy
                axes.plot(x, y, label=bins.line.label, **_stroke(bins.line), linewidth=1.2)
                axes.scatter(x, y, s=(0.7 * marker_sizes(bins.count)) ** 2, color=bins.line.color, linewidths=0)
            axes.set(xlim=(-4, 104), ylim=(-4, 104), title=level, aspect="equal", xticks=TICKS, yticks=TICKS)
            axes.set_xlabel("confidence, %" if place // columns == rows - 1 else "")
            axes.set_ylabel("accuracy, %" if place % columns == 0 else "")
        for axes in panels.flat[len(by_level) :]:
            axes.set_axis_off()
        _legend(figure, panels.flat[0])
    return figure


def save(figure: Figure, stem: Path) -> list[Path]:
    """Write a figure as PNG and as SVG, whole or not at all."""
    written: list[Path] = []
    for ending, about in (("png", {"Software": None}), ("svg", {"Date": None, "Creator": None})):
        file = stem.with_name(f"{stem.name}.{ending}")
        with mpl.rc_context(STYLE), replacing(file) as temporary, warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Glyph .* missing")  # a name in a script that the font lacks
            figure.savefig(temporary, dpi=DOTS_PER_INCH, metadata=about)
        written.append(file)
    return written


def _stroke(line: Line) -> dict[str, Any]:
    """Colour and dashes of a line."""
    lengths = DASH_ARRAYS[line.dash]
    style = "-" if lengths == "none" else (0, tuple(float(length) / 2 for length in lengths.split()))
    return {"color": line.color, "linestyle": style}


def _legend(figure: Figure, axes: Axes) -> None:
    """Under the picture, where there is more than one line."""
    handles, labels = axes.get_legend_handles_labels()
    if len(labels) > 1:
        columns = min(LEGEND_COLUMNS, max(1, 90 // (8 + max(map(len, labels)))))
        figure.legend(handles, labels, loc="outside lower center", ncols=columns, frameon=False, handlelength=2.6)
