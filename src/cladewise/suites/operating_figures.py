"""Figures of kind ``operating``: correctness and precision against the information recall, one line per row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import polars as pl
from matplotlib.figure import Figure

from cladewise.drawing.palette import color, dash
from cladewise.drawing.paper import add_legend, paper, save_figure, stroke
from cladewise.drawing.tables import write_csv
from cladewise.engine import Run
from cladewise.errors import InputError
from cladewise.records import read_evaluation
from cladewise.report.runs.operating_curves import MEASURES, Curve, average, read_curve
from cladewise.suites.entries import FigureEntry
from cladewise.suites.jobs import evaluation_path
from cladewise.suites.suite import Suite

Rows = Sequence[tuple[str, Sequence[Curve]]]
"""Names of the lines, each with the curves of its runs."""


def check_operating(suite: Suite, figure: FigureEntry) -> None:
    """Check a figure of operating curves.

    Raises:
        InputError: A pair is not of a method and an inference of the figure, or nothing is left to draw.
    """
    known = {(label, infer) for label in suite.methods_of(figure) for infer, _ in suite.rules_of(figure)}
    for pair in figure.pairs:
        if pair not in known:
            raise InputError("pairs of a method and an inference of the figure", repr(list(pair)))
    if not any(suite.rules_after(label, figure) for label in suite.methods_of(figure)):
        raise InputError("at least one method with an inference", "none")


def draw_operating(
    folder: Path, suite: Suite, figure: FigureEntry, runs: Mapping[str, Sequence[Run]]
) -> tuple[list[Path], list[str]]:
    """Draw a figure as ``<name>.png``, ``<name>.svg`` and ``<name>.csv``; also sentences about missing lines."""
    (data,) = suite.data
    rows: list[tuple[str, Sequence[Curve]]] = []
    missing: list[str] = []
    for label in suite.methods_of(figure):
        rules = suite.rules_after(label, figure)
        varies = [len(set(among)) > 1 for among in zip(*rules, strict=True)]
        for infer, decide in rules:
            name = ", ".join([label, *(rule for rule, shown in zip((infer, decide), varies, strict=False) if shown)])
            paths = [evaluation_path(run, data.test, infer, decide, suite.variant(label).tree) for run in runs[label]]
            points = [read_evaluation(path).curves.operating for path in paths if path.is_file()]
            curves = [read_curve(each, seed) for seed, each in enumerate(points) if each is not None]
            if curves:
                rows.append((name, curves))
            else:
                missing.append(f"no operating curve of {name}")
    if not rows:
        return [], missing
    drawn = operating_figure(rows)
    return [*save_figure(drawn, folder / figure.name), write_csv(_frame(rows), folder / f"{figure.name}.csv")], missing


def operating_figure(rows: Rows) -> Figure:
    """One panel per measure; lines of means over the runs, with bands of one standard deviation."""
    with paper(9.0, 4.2) as figure:
        for place, measure in enumerate(MEASURES):
            axes = figure.add_subplot(1, len(MEASURES), place + 1)
            for number, (name, curves) in enumerate(rows):
                recall, mean, sd = average(curves)
                x, y, width = 100 * recall, 100 * mean[measure.name], 100 * sd[measure.name]
                axes.plot(x, y, label=name, **stroke(color(number), dash(number)), linewidth=1.4)
                if len(curves) > 1:
                    low, high = np.maximum(y - width, 0), np.minimum(y + width, 100)
                    axes.fill_between(x, low, high, color=color(number), alpha=0.16, linewidth=0)
            axes.set(xlim=(0, 101), ylim=(None, 101), xlabel="information recall, %", ylabel=measure.axis)
        add_legend(figure, figure.axes[0])
    return figure


def _frame(rows: Rows) -> pl.DataFrame:
    """One row per line and recall; shares as fractions."""
    parts: list[pl.DataFrame] = []
    for name, curves in rows:
        recall, mean, sd = average(curves)
        values = {f"{m.name}{end}": of[m.name] for m in MEASURES for end, of in (("", mean), ("_sd", sd))}
        parts.append(pl.DataFrame({"line": name, "num_seeds": len(curves), "recall": recall} | values))
    return pl.concat(parts)
