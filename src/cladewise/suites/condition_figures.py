"""Figures of kind ``conditions``: a panel per metric, in it a row per method and a column per condition."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from cladewise.atomic import write_text
from cladewise.drawing.palette import INK, color
from cladewise.drawing.paper import paper, save_figure
from cladewise.engine import Run
from cladewise.errors import InputError
from cladewise.statistics import Spread
from cladewise.suites.columns import check_columns, column, in_unit, title_of
from cladewise.suites.entries import FigureEntry
from cladewise.suites.spreads import ENDS, csv_text, spread_cells
from cladewise.suites.suite import Suite
from cladewise.suites.tables import row_values

FULL_COLOUR = 90
"""Percentile of the absolute differences that has the full colour, so that one failed method does not pale the rest."""
SHADES = LinearSegmentedColormap.from_list("worse to better", [color(1), "#ffffff", color(0)])
"""Colours from worse than the baseline, through white, to better."""

Array = npt.NDArray[np.float64]
Measured = Mapping[tuple[str, str], Mapping[str, Spread]]
"""Values by column of every method under every condition."""


def check_conditions(suite: Suite, figure: FigureEntry) -> None:
    """Check a figure of conditions of a suite on one dataset.

    Raises:
        InputError: The suite has no conditions or no baseline among the rows, a panel does not exist, or there is not
            one inference and one decision.
    """
    check_columns(suite, figure)
    rows = [suite.variant(label) for label in suite.methods_of(figure)]
    if not all(row.condition for row in rows):
        raise InputError("a suite with [[condition]]", "none")
    if suite.baseline not in {row.plain for row in rows}:
        raise InputError("the baseline of the suite among the methods", repr(suite.baseline))
    rules = suite.rules_of(figure)
    if len(rules) != 1:
        raise InputError("one inference and one decision", ", ".join(f"{infer}-{decide}" for infer, decide in rules))


def draw_conditions(
    folder: Path, suite: Suite, figure: FigureEntry, runs: Mapping[str, Sequence[Run]]
) -> tuple[list[Path], list[str]]:
    """Draw a figure as ``<name>.png``, ``<name>.svg`` and ``<name>.csv``; also sentences about missing values."""
    (data,) = suite.data
    ((infer, decide),) = suite.rules_of(figure)
    measured: dict[tuple[str, str], Mapping[str, Spread]] = {}
    missing: list[str] = []
    for label in suite.methods_of(figure):
        row = suite.variant(label)
        values, _ = row_values(suite, figure.columns, runs[label], data.test, label, infer, decide)
        if lacks := [name for name in figure.columns if name not in values]:
            missing.append(f"no value of {' or '.join(lacks)} of {label}")
        measured[row.plain, row.condition] = values
    numbers = folder / f"{figure.name}.csv"
    write_text(numbers, _csv(figure, measured))
    if not any(measured.values()):
        return [numbers], missing
    return [*save_figure(condition_figure(figure, measured, suite.baseline), folder / figure.name), numbers], missing


def condition_figure(figure: FigureEntry, measured: Measured, baseline: str) -> Figure:
    """The drawing: methods from the best to the worst on average, coloured by their distance from the baseline."""
    methods = list(dict.fromkeys(method for method, _ in measured))
    conditions = list(dict.fromkeys(condition for _, condition in measured))
    means = {name: _means(name, methods, conditions, measured) for name in figure.columns}
    first = figure.columns[0]
    order = np.argsort(-_upwards(first, np.array([_mean(row) for row in means[first]])), kind="stable")
    titles = figure.headings or [title_of(name) for name in figure.columns]
    width = 1.4 + 0.08 * max(map(len, methods)) + 0.62 * len(conditions) * len(figure.columns)
    with paper(width, 0.2 * len(methods) + 1.5, axes_grid=False) as drawing:
        panels = drawing.subplots(1, len(figure.columns), sharey=True, squeeze=False)[0]
        for axes, name, title in zip(panels, figure.columns, titles, strict=True):
            _panel(axes, name, means[name][order], means[name][methods.index(baseline)])
            axes.set_title(f"{title}, %" if column(name).is_share else title, fontsize=9)
            axes.set_xticks(range(len(conditions)), conditions, rotation=40, ha="right", fontsize=8)
        panels[0].set_yticks(range(len(methods)), [methods[place] for place in order], fontsize=8)
        for label in panels[0].get_yticklabels():
            label.set_fontweight("bold" if label.get_text() == baseline else "normal")
        drawing.supxlabel(f"blue: better than {baseline}; orange: worse", fontsize=8)
    return drawing


def _panel(axes: Axes, name: str, means: Array, of_baseline: Array) -> None:
    """Values in cells whose colour is the difference from the baseline under the same condition."""
    differences = _upwards(name, means - of_baseline)
    known = np.abs(differences[np.isfinite(differences)])
    edge = max(float(np.percentile(known, FULL_COLOUR)), 1e-9) if known.size else 1.0
    axes.imshow(np.ma.masked_invalid(differences), cmap=SHADES, vmin=-edge, vmax=edge, aspect="auto")
    digits = 1 if column(name).is_share else 2
    for (row, place), value in np.ndenumerate(means):
        if math.isfinite(value):
            axes.text(place, row, f"{value:.{digits}f}", ha="center", va="center", fontsize=7, color=INK)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def _means(name: str, methods: Sequence[str], conditions: Sequence[str], measured: Measured) -> Array:
    """Means of a column ``[method, condition]``, in the unit that is shown."""
    spreads = [[measured.get((method, condition), {}).get(name) for condition in conditions] for method in methods]
    return np.array([[math.nan if one is None else in_unit(name, one.mean) for one in row] for row in spreads])


def _mean(values: Array) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else math.nan


def _upwards(name: str, values: Array) -> Array:
    """The values with their sign turned where lower is better."""
    return -values if column(name).higher_is_better is False else values


def _csv(figure: FigureEntry, measured: Measured) -> str:
    """The numbers of a figure: one row per method and condition, shares as fractions."""
    heads = ["method", "condition", *(f"{name}{end}" for name in figure.columns for end in ENDS)]
    cells = [
        [*names, *itertools.chain.from_iterable(spread_cells(values.get(name)) for name in figure.columns)]
        for names, values in measured.items()
    ]
    return csv_text(heads, cells)
