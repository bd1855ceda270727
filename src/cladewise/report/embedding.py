"""A label embedding as a picture: points, the tree's edges, what labels hold, and images among them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from numpy.typing import NDArray

from cladewise.report.drawings import STYLE
from cladewise.report.figure import color
from cladewise.report.name_placing import place_names
from cladewise.report.rim import Frame
from cladewise.taxonomy import Taxonomy

if TYPE_CHECKING:
    from cladewise.embeddings import Picture

INK, LINE, DOTS = "#4d5652", "#b9beba", "#7b8580"
RIM, EDGE = 1.13, 1.26
"""Radii of the frame at which photographs stand, and at which the picture ends."""


@dataclasses.dataclass(frozen=True, eq=False)
class Photograph:
    """A small photograph beside the rim.

    Args:
        image: Its place among the picture's images.
        angle: Where it stands, in radians.
        pixels: ``[height, width, 3]``.
        name: What is written under it.
    """

    image: int
    angle: float
    pixels: NDArray[np.uint8]
    name: str


def frame_of(picture: Picture) -> Frame:
    """What of a picture is drawn: the whole Poincaré disk where the vectors themselves are in it."""
    whole = picture.disk and picture.share == 1
    return Frame.of(picture.points, picture.images, centred=picture.centred, disk=whole)


def embedding_drawing(
    picture: Picture, taxonomy: Taxonomy, photographs: Sequence[Photograph] = (), sectors: int = 0
) -> Figure:
    """Labels in the plane, coloured by their level, and images as grey dots; what is farther out lies on the edge.

    Args:
        picture: What :func:`cladewise.embeddings.picture` made.
        taxonomy: The label tree.
        photographs: What stands around it.
        sectors: For how many photographs there is room.
    """
    level = taxonomy.level[1:]
    frame = frame_of(picture)
    with mpl.rc_context({**STYLE, "axes.grid": False}):
        side = 9.6 if photographs else 7.2
        figure = Figure(figsize=(side, side + 0.3), layout="constrained")
        axes = figure.add_subplot()
        axes.set(aspect="equal", xticks=[], yticks=[])
        for spine in axes.spines.values():
            spine.set_visible(False)
        edge = Circle(tuple(frame.centre), frame.radius, fill=False, edgecolor=LINE, linewidth=1)
        axes.add_patch(edge)
        colors = [color(k - 1) for k in level.tolist()]
        shades = [colors[node - 1] for node in picture.owners]
        regions = PolyCollection(picture.regions, facecolors=shades, edgecolors=shades, alpha=0.1, linewidths=0.8)
        edges = LineCollection(picture.edges, colors=[colors[node - 1] for node in picture.special])
        edges.set(alpha=0.45, linewidth=0.6 if len(level) > 300 else 0.9)
        for lines in (regions, edges):
            axes.add_collection(lines, autolim=False)
            lines.set_clip_path(edge)
        if len(picture.images):
            dots = frame.within(picture.images)
            axes.scatter(*dots.T, s=5, color=DOTS, alpha=0.5, linewidths=0, zorder=2.5, label="images", clip_on=False)
        size = float(np.clip(3000 / max(1, len(level)), 5, 26))
        for k in range(1, taxonomy.num_levels + 1):
            here = level == k
            if here.any():
                style: dict[str, Any] = {"color": color(k - 1), "label": taxonomy.level_names[k - 1], "linewidths": 0.4}
                larger = size * (1 + (taxonomy.num_levels - k) / 2)
                axes.scatter(*frame.within(picture.points[here]).T, s=larger, edgecolors="white", zorder=3, **style)
        axes.plot(*(frame.centre[:, None] if not picture.centred else np.zeros((2, 1))), marker="+", color=INK)
        _photographs(axes, picture, frame, photographs, sectors)
        reach = frame.radius * (EDGE if photographs else 1.02)
        axes.set(xlim=frame.centre[0] + np.array([-reach, reach]), ylim=frame.centre[1] + np.array([-reach, reach]))
        figure.legend(loc="outside lower center", ncols=min(5, taxonomy.num_levels + 1), frameon=False)
        _names(axes, picture, taxonomy)
    return figure


def _photographs(axes: Axes, picture: Picture, frame: Frame, photographs: Sequence[Photograph], sectors: int) -> None:
    """Each beside the rim, with a line from there to its dot and its name under it."""
    room = 2 * np.pi * RIM * frame.radius / max(1, sectors)
    half = min(0.3 * room, 0.1 * frame.radius)
    for each in photographs:
        at = frame.place(np.array(each.angle), RIM)
        dot = frame.within(picture.images[[each.image]])[0]
        start = frame.place(np.array(each.angle), 1.0)
        axes.plot(*np.stack([start, dot]).T, color=DOTS, linewidth=0.5, alpha=0.8, zorder=2.4, clip_on=False)
        axes.scatter(*dot, s=14, facecolors="none", edgecolors=INK, linewidths=0.7, zorder=4, clip_on=False)
        high, wide = each.pixels.shape[:2]
        across, along = half * wide / max(high, wide), half * high / max(high, wide)
        box = (at[0] - across, at[0] + across, at[1] - along, at[1] + along)
        axes.imshow(each.pixels, extent=box, zorder=5, interpolation="antialiased")
        name = each.name if len(each.name) <= 16 else f"{each.name[:15]}…"
        below: dict[str, Any] = {"xytext": (0, -1.5), "textcoords": "offset points", "ha": "center", "va": "top"}
        axes.annotate(name, (at[0], box[2]), fontsize=5.5, color=INK, zorder=5, annotation_clip=False, **below)


def _names(axes: Axes, picture: Picture, taxonomy: Taxonomy) -> None:
    """Names beside the labels, coarse ones first, as far as there is room."""
    nodes = np.argsort(taxonomy.level[1:], kind="stable") + 1
    coarsest = taxonomy.level[nodes].min(initial=1)
    styles: list[dict[str, Any]] = [
        {"fontsize": 9, "weight": "bold", "color": "#1d2522"}
        if taxonomy.level[node] == coarsest and taxonomy.num_levels > 1
        else {"fontsize": 6.5, "color": INK}
        for node in nodes
    ]
    place_names(axes, picture.points[nodes - 1], [str(taxonomy.names[node]) for node in nodes], styles)
