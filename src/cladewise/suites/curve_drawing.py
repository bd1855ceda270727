"""Figures of kind ``curve``: metrics by the value of an option, one panel per metric, one line per curve."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cladewise.drawing.palette import color, dash
from cladewise.drawing.paper import add_legend, paper, save_figure, stroke
from cladewise.drawing.tables import write_csv
from cladewise.engine import Run
from cladewise.statistics import Spread
from cladewise.suites.columns import column, in_unit, title_of
from cladewise.suites.curves import Point, curve_points
from cladewise.suites.entries import FigureEntry
from cladewise.suites.suite import Suite
from cladewise.suites.tables import row_values

PANELS_PER_ROW = 3
MOST_TICKS = 9
"""Ticks of a logarithmic axis at most, which are at values of the axis."""

Measured = Sequence[tuple[Point, Mapping[str, Spread]]]
"""Points of a figure in the order of the axis, each with its values by column."""


def draw_curve(
    folder: Path, suite: Suite, figure: FigureEntry, runs: Mapping[str, Sequence[Run]]
) -> tuple[list[Path], list[str]]:
    """Draw a figure as ``<name>.png``, ``<name>.svg`` and ``<name>.csv``; also sentences about missing points."""
    (data,) = suite.data
    measured: list[tuple[Point, Mapping[str, Spread]]] = []
    missing: list[str] = []
    for point in curve_points(suite, figure):
        values, rules = row_values(
            suite, figure.columns, runs[point.method], data.test, point.method, point.inference, point.decision
        )
        lacks = figure.columns if rules is None else [name for name in figure.columns if name not in values]
        if lacks:
            missing.append(f"no value of {' or '.join(lacks)} at {figure.x} = {point.x:g} of {point.curve}")
        if rules is not None:
            point = dataclasses.replace(point, inference=rules[0], decision=rules[1])
        measured.append((point, values))
    written = [write_csv(curve_frame(figure, measured), folder / f"{figure.name}.csv")]
    if any(values for _, values in measured):
        written = [*save_figure(curve_figure(figure, measured), folder / figure.name), *written]
    return written, missing


def curve_frame(figure: FigureEntry, measured: Measured) -> pl.DataFrame:
    """The numbers of a figure: one row per point, shares as fractions."""
    rows = {
        "curve": [point.curve for point, _ in measured],
        "method": [point.method for point, _ in measured],
        "inference": [point.inference for point, _ in measured],
        "decision": [point.decision for point, _ in measured],
        figure.x: [point.x for point, _ in measured],
    }
    for name in dict.fromkeys(figure.columns):
        spreads = [values.get(name) for _, values in measured]
        rows[name] = [math.nan if spread is None else spread.mean for spread in spreads]
        rows[f"{name}_sd"] = [math.nan if spread is None else spread.sd for spread in spreads]
        rows[f"{name}_seeds"] = [0 if spread is None else spread.count for spread in spreads]
    return pl.DataFrame(rows)


def curve_figure(figure: FigureEntry, measured: Measured) -> Figure:
    """The drawing: a panel per column, lines of means with bars of one standard deviation to either side."""
    across = min(PANELS_PER_ROW, len(figure.columns))
    down = -(-len(figure.columns) // across)
    titles = figure.headings or [title_of(name) for name in figure.columns]
    curves = list(dict.fromkeys(point.curve for point, _ in measured))
    with paper(max(3.6, 2.7 * across), 2.5 * down + 0.5) as drawing:
        for place, (name, title) in enumerate(zip(figure.columns, titles, strict=True)):
            axes = drawing.add_subplot(down, across, place + 1)
            for number, curve in enumerate(curves):
                _line(axes, name, curve, [pair for pair in measured if pair[0].curve == curve], number)
            unit = ", %" if column(name).is_share else ""
            axes.set(xlabel=figure.x, ylabel=f"{title}{unit}")
            _scale(axes, figure, [point.x for point, _ in measured])
        if len(curves) > 1:
            add_legend(drawing, drawing.axes[0])
    return drawing


def _line(axes: Axes, name: str, curve: str, measured: Measured, number: int) -> None:
    there = [(point.x, values[name]) for point, values in measured if name in values]
    means = [in_unit(name, spread.mean) for _, spread in there]
    bars = [in_unit(name, spread.sd) if spread.count > 1 else 0.0 for _, spread in there]
    line = stroke(color(number), dash(number))
    axes.errorbar([x for x, _ in there], means, bars, label=curve, marker="o", markersize=3, linewidth=1.4, **line)


def _scale(axes: Axes, figure: FigureEntry, values: Sequence[float]) -> None:
    """The scale of the axis; a logarithmic one is linear below its smallest value above 0, so that 0 has a place."""
    if figure.scale != "log":
        return
    if min(values) > 0:
        axes.set_xscale("log")
    else:
        axes.set_xscale("symlog", linthresh=min((value for value in values if value > 0), default=1.0))
    ticks = sorted(set(values))
    ticks = ticks[:: -(-len(ticks) // MOST_TICKS)]
    axes.set_xticks(ticks, [f"{value:g}" for value in ticks])
    axes.set_xticks([], minor=True)
