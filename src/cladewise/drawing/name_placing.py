"""Names next to the points of a figure, placed greedily so that none overlaps another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.transforms import Bbox
from numpy.typing import NDArray

MOST_TRIED = 400
"""Most names that are tried: measuring the extent of each takes time."""
ROOM = 1.0
"""Padding around each name, in pixels at 100 dots per inch."""
PLACES = (("left", "bottom", 3, 2), ("left", "top", 3, -2), ("right", "bottom", -3, 2), ("right", "top", -3, -2))
"""Positions of a name relative to its point, best first: horizontal and vertical alignment, and offsets in points."""


def place_names(
    axes: Axes,
    points: NDArray[np.float64],
    names: Sequence[str],
    styles: Sequence[dict[str, Any]],
    *,
    centred: bool = False,
) -> int:
    """Write names next to their points, in order of priority; names that would overlap or be cut off are left out.

    Call it last, when the limits of the axes and everything else that takes room in the figure are set.

    Args:
        axes: Axes to write on.
        points: Points to name ``[name, 2]``, the most important first.
        names: Their names.
        styles: Text properties of each name, as matplotlib takes them.
        centred: Write names on their points instead of next to them.

    Returns:
        Number of names written.
    """
    figure: Any = axes.figure
    figure.draw_without_rendering()
    taken: list[Bbox] = []
    inside = axes.get_window_extent()
    places = (("center", "center", 0, 0),) if centred else PLACES
    under = {"boxstyle": "round,pad=0.12", "facecolor": "white", "alpha": 0.72, "linewidth": 0}
    for point, name, style in list(zip(points, names, styles, strict=True))[:MOST_TRIED]:
        for across, along, right, up in places:
            alignment = {"ha": across, "va": along, "xytext": (right, up), "textcoords": "offset points"}
            text = axes.annotate(name, point, bbox=under, zorder=6, annotation_clip=False, **alignment, **style)
            text.set_in_layout(False)
            box = text.get_window_extent().padded(ROOM)
            if _holds(inside, box) and not any(box.overlaps(other) for other in taken):
                taken.append(box)
                break
            text.remove()
    return len(taken)


def _holds(outer: Bbox, inner: Bbox) -> bool:
    low, high = np.asarray(outer.min) <= np.asarray(inner.min), np.asarray(inner.max) <= np.asarray(outer.max)
    return bool(low.all() and high.all())
