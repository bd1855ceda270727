"""A label embedding as a picture: points, the tree's edges, and what labels hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.figure import Figure
from matplotlib.patches import Circle

from cladewise.report.drawings import STYLE
from cladewise.report.figure import color
from cladewise.taxonomy import Taxonomy

if TYPE_CHECKING:
    from cladewise.embeddings import Picture

MOST_NAMES = 60
"""Labels up to which all are written beside their points; of more, those of the first level."""


def embedding_drawing(picture: Picture, taxonomy: Taxonomy, *, title: str = "") -> Figure:
    """Labels in the plane, coloured by their level.

    Args:
        picture: What :func:`cladewise.embeddings.picture` made.
        taxonomy: The label tree.
        title: Stands above.
    """
    level = taxonomy.level[1:]
    with mpl.rc_context({**STYLE, "axes.grid": False}):
        figure = Figure(figsize=(6.4, 6.4), layout="constrained")
        axes = figure.add_subplot()
        axes.set(aspect="equal", title=title)
        colors = [color(k - 1) for k in level.tolist()]
        shades = [colors[node - 1] for node in picture.owners]
        regions = PolyCollection(picture.regions, facecolors=shades, edgecolors=shades, alpha=0.1, linewidths=0.8)
        axes.add_collection(regions)
        edges = LineCollection(picture.edges, colors=[colors[node - 1] for node in picture.special])
        edges.set(alpha=0.45, linewidth=0.6 if len(level) > 300 else 0.9)
        axes.add_collection(edges)
        size = float(np.clip(3000 / max(1, len(level)), 3, 26))
        for k in range(1, taxonomy.num_levels + 1):
            here = level == k
            if here.any():
                style: dict[str, Any] = {"color": color(k - 1), "label": taxonomy.level_names[k - 1], "linewidths": 0}
                axes.scatter(*picture.points[here].T, s=size * (1 + (taxonomy.num_levels - k) / 2), zorder=3, **style)
        _frame(axes, picture)
        _names(axes, picture, taxonomy)
        figure.legend(loc="outside lower center", ncols=min(4, taxonomy.num_levels), frameon=False)
        if picture.share < 1:
            axes.set_xlabel(f"two principal components: {picture.share:.0%} of the variance")
    return figure


def _frame(axes: Axes, picture: Picture) -> None:
    """The disk, or a little more than the points."""
    if picture.disk and picture.share == 1:
        axes.add_patch(Circle((0, 0), 1, fill=False, edgecolor="#b9beba", linewidth=1))
        axes.set(xlim=(-1.03, 1.03), ylim=(-1.03, 1.03))
    else:
        low, high = picture.points.min(0), picture.points.max(0)
        room = 0.06 * float((high - low).max()) + 1e-9
        axes.set(xlim=(low[0] - room, high[0] + room), ylim=(low[1] - room, high[1] + room))
    axes.plot(0, 0, marker="+", color="#6d7f99", markersize=7)
    axes.set(xticks=[], yticks=[])
    for spine in axes.spines.values():
        spine.set_visible(False)


def _names(axes: Axes, picture: Picture, taxonomy: Taxonomy) -> None:
    shown = np.arange(1, taxonomy.num_nodes)
    if shown.size > MOST_NAMES:
        shown = shown[taxonomy.level[shown] == taxonomy.level[shown].min()][:MOST_NAMES]
    for node in shown.tolist():
        place, name = picture.points[node - 1], str(taxonomy.names[node])
        axes.annotate(name, place, xytext=(4, 3), textcoords="offset points", fontsize=7, color="#4d5652", zorder=4)
