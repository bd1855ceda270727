"""Energies of images along their paths, a photograph and two panels each."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from cladewise.drawing.palette import NEUTRAL, color
from cladewise.drawing.paper import STYLE
from cladewise.explanations.descent import Descent
from cladewise.explanations.path_lines import path_lines
from cladewise.taxonomy import Taxonomy

ACROSS = 2
"""Images per row."""
MOST_LETTERS = 26
"""In the names of levels side by side under a panel."""
INK, LOST = "#1d2522", "#b23a2e"


@dataclasses.dataclass(frozen=True, eq=False)
class Descending:
    """An image, its photograph and its energies."""

    way: Descent
    path: str
    pixels: NDArray[np.uint8]


def descent_drawing(shown: Sequence[Descending], taxonomy: Taxonomy, threshold: float) -> Figure:
    """Draw images with their energies, two per row.

    Args:
        shown: The images, at least one.
        taxonomy: The label tree.
        threshold: Energy up to which a label holds an image.
    """
    across = min(ACROSS, len(shown))
    rows = math.ceil(len(shown) / across)
    with mpl.rc_context({**STYLE, "font.size": 7.5}):
        figure = Figure(figsize=(5.6 * across, 1.75 * rows + 0.3), layout="constrained")
        panels: NDArray[Any] = np.asarray(
            figure.subplots(rows, 3 * across, squeeze=False, width_ratios=[1.0, 1.25, 1.25] * across)
        )
        top = max((_greatest(each.way) for each in shown), default=1.0)
        highest = max((float(each.way.way.max(initial=0.0)) for each in shown), default=0.0) + 1e-6
        cells = panels.reshape(-1, 3)
        for cell, each in zip(cells, shown, strict=False):
            _photograph(cell[0], each, taxonomy)
            _levels(cell[1], each.way, taxonomy, threshold)
            _way(cell[2], each.way, threshold)
            cell[1].set_ylim(-0.04 * top, 1.06 * top)
            cell[2].set_ylim(-0.04 * highest, 1.06 * highest)
        for cell in cells[len(shown) :]:
            for axes in cell:
                axes.set_axis_off()
        for cell in cells[max(0, len(shown) - across) : len(shown)]:
            cell[2].set_xlabel("share of the way out")
        handles = [
            Line2D([], [], color=INK, marker="o", linestyle="none", label="label of its path"),
            Line2D([], [], color=INK, marker="o", fillstyle="none", linestyle="none", label="best other label"),
            Line2D([], [], color=NEUTRAL, linestyle=":", label="threshold"),
        ]
        figure.legend(handles=handles, loc="outside lower center", ncols=3, frameon=False)
        _settle(figure)
    return figure


def _settle(figure: Figure) -> None:
    """Fix where everything is: the last digits of what the layout's solver finds differ from time to time."""
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    for axes in figure.axes:
        left, bottom, width, height = (round(number, 4) for number in axes.get_position(original=True).bounds)
        axes.set_position((left, bottom, width, height))


def _greatest(way: Descent) -> float:
    values = np.concatenate([way.own, way.rivals[~np.isnan(way.rivals)]])
    return float(values.max(initial=1e-6))


def _photograph(axes: Axes, each: Descending, taxonomy: Taxonomy) -> None:
    axes.set_axis_off()
    axes.imshow(each.pixels, interpolation="antialiased")
    names = [str(taxonomy.names[node]) for node in each.way.path]
    axes.set_title("\n".join(path_lines(names)), fontsize=6.5, color=INK)


def _levels(axes: Axes, way: Descent, taxonomy: Taxonomy, threshold: float) -> None:
    """Own and best other energy at each level."""
    place = np.arange(way.path.size)
    axes.axhline(threshold, color=NEUTRAL, linewidth=1, linestyle=":")
    axes.plot(place, way.own, color=NEUTRAL, linewidth=0.8, zorder=2)
    for at in range(way.path.size):
        shade = color(way.levels[at] - 1)
        axes.plot(at, way.rivals[at], marker="o", fillstyle="none", color=shade, markersize=5, zorder=3)
        axes.plot(at, way.own[at], marker="o", color=shade, markersize=5, zorder=4)
    lost = way.lost(threshold)
    if lost is not None:
        axes.axvspan(lost - 0.45, lost + 0.45, color=LOST, alpha=0.09, linewidth=0)
    names = sum(len(taxonomy.level_names[level - 1]) for level in way.levels)
    turned: dict[str, Any] = {"rotation": 30, "ha": "right", "rotation_mode": "anchor"} if names > MOST_LETTERS else {}
    axes.set_xticks(place, [taxonomy.level_names[level - 1] for level in way.levels], **turned)
    axes.tick_params(axis="x", labelsize=6.5, length=0)
    axes.set_xlim(-0.5, max(0.5, way.path.size - 0.5))
    axes.set_ylabel("energy", fontsize=6.5)
    axes.grid(axis="x", visible=False)


def _way(axes: Axes, way: Descent, threshold: float) -> None:
    """Energies on the way from the origin to the image."""
    share = np.linspace(0, 100, way.way.shape[1])
    axes.axhline(threshold, color=NEUTRAL, linewidth=1, linestyle=":")
    for line, level in zip(way.way, way.levels, strict=True):
        axes.plot(share, line, color=color(level - 1), linewidth=1.3)
    axes.set(xlim=(0, 100), xticks=[0, 50, 100])
    axes.set_xticklabels(["0", "50%", "image"])
    axes.tick_params(labelsize=6.5)
