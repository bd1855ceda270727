"""Pairs of photographs with the paths of their labels."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch
from numpy.typing import NDArray

from cladewise.drawing.paper import STYLE
from cladewise.explanations.path_lines import path_lines

ACROSS = 3
"""Pairs per row."""
WIDTH, HEIGHT = 3.7, 2.35
"""Size of a pair, in inches."""
PICTURE = 1.62
"""Longest side of a photograph in inches."""
INK, SOFT, CARD, LINE = "#1d2522", "#66706b", "#fbfaf7", "#e3e1da"


@dataclasses.dataclass(frozen=True, eq=False)
class PicturedPair:
    """Two photographs ``[height, width, 3]``, the names on their paths, their distance, and where the paths part."""

    pixels: tuple[NDArray[np.uint8], ...]
    paths: tuple[tuple[str, ...], ...]
    distance: float
    meet: str


def pair_drawing(pairs: Sequence[PicturedPair]) -> Figure:
    """The pairs as cards, row by row; everything is placed in inches, so that any number of cards fits.

    Example:
        >>> grey = np.full((8, 8, 3), 128, dtype=np.uint8)
        >>> pair_drawing([PicturedPair((grey, grey), (("a",), ("b",)), 0.1, "the root")]).get_size_inches().tolist()
        [3.7, 2.35]
    """
    across = min(ACROSS, len(pairs))
    rows = math.ceil(len(pairs) / across)
    width, height = WIDTH * across, HEIGHT * rows
    with mpl.rc_context({**STYLE, "axes.grid": False}):
        figure = Figure(figsize=(width, height))
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set_axis_off()
        for place, pair in enumerate(pairs):
            _card(axes, pair, WIDTH * (place % across), height - HEIGHT * (1 + place // across))
        axes.set(xlim=(0, width), ylim=(0, height), aspect="equal")
    return figure


def _card(axes: Axes, pair: PicturedPair, left: float, bottom: float) -> None:
    """One pair: photographs side by side, paths under them, and under all how far apart they are."""
    gap = 0.08
    box = (left + gap, bottom + gap), WIDTH - 2 * gap, HEIGHT - 2 * gap
    axes.add_patch(FancyBboxPatch(*box, boxstyle="round,pad=0,rounding_size=0.07", facecolor=CARD, edgecolor=LINE))
    top = bottom + HEIGHT - 2.1 * gap
    for which, (pixels, path) in enumerate(zip(pair.pixels, pair.paths, strict=True)):
        middle = left + WIDTH * (1 + 2 * which) / 4
        high, wide = (PICTURE * side / max(pixels.shape[:2]) for side in pixels.shape[:2])
        high, wide = (side * min(1.0, 1.3 / high) for side in (high, wide))
        extent = (middle - wide / 2, middle + wide / 2, top - 1.3 / 2 - high / 2, top - 1.3 / 2 + high / 2)
        axes.imshow(pixels, extent=extent, interpolation="antialiased", zorder=3)
        text = "\n".join(path_lines(path))
        axes.text(middle, top - 1.37, text, fontsize=6.5, color=INK, ha="center", va="top", linespacing=1.15)
    told = f"distance {pair.distance:.3f}, parting at {pair.meet}"
    axes.text(left + WIDTH / 2, bottom + 1.6 * gap, told, fontsize=6.5, color=SOFT, ha="center", va="bottom")
