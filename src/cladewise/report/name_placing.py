"""Names beside points of a picture, as far as there is room."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.transforms import Bbox

from cladewise.report.run import FloatArray

MOST_TRIED = 400
"""Names that are tried at most: each costs the measuring of its letters."""
ROOM = 1.0
"""Pixels at 100 dots per inch that names keep apart."""
PLACES = (("left", "bottom", 3, 2), ("left", "top", 3, -2), ("right", "bottom", -3, 2), ("right", "top", -3, -2))
"""Where a name may be from its point, the first choice first: alignments, and offsets in points."""


def place_names(
    axes: Axes, points: FloatArray, names: Sequence[str], styles: Sequence[dict[str, Any]], *, centred: bool = False
) -> int:
    """Write names beside their points, the first ones first; one that would lie on another, or outside, is left out.

    The axes have their limits, and their figure everything else that takes room.

    Args:
        axes: Where.
        points: ``[name, 2]``.
        names: What to write.
        styles: Of each name, as matplotlib's texts have it.
        centred: Whether names are to stand on their points and not beside them.

    Returns:
        How many are written.
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
