"""A label embedding as a figure: labels as points, the edges and regions of the tree, and images among them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from numpy.typing import NDArray

from cladewise.drawing.frame import Frame
from cladewise.drawing.name_placing import place_names
from cladewise.drawing.node_names import shortened
from cladewise.drawing.palette import INK, MUTED, OUTLINE, color
from cladewise.drawing.paper import paper
from cladewise.taxonomy import Taxonomy

if TYPE_CHECKING:
    from cladewise.embeddings import Picture  # plain arrays, in a package that loads torch

DOTS = "#7b8580"
RIM, EDGE = 1.13, 1.26
"""Distance of photographs, and of the figure's edge, from the centre, in radii of the frame."""


@dataclasses.dataclass(frozen=True, eq=False)
class Photograph:
    """A small photograph outside the frame.

    Args:
        image: Index among the picture's images.
        angle: Angle at which it is shown, in radians.
        pixels: ``[height, width, 3]``.
        name: Text below it.
    """

    image: int
    angle: float
    pixels: NDArray[np.uint8]
    name: str


def frame_of(picture: Picture) -> Frame:
    """The frame of a picture: the Poincaré disk if the vectors themselves are drawn, otherwise as large as needed."""
    whole = picture.disk and picture.share == 1
    return Frame.of(picture.points, picture.images, centred=picture.centred, disk=whole)


def embedding_drawing(
    picture: Picture, taxonomy: Taxonomy, photographs: Sequence[Photograph] = (), sectors: int = 0
) -> Figure:
    """Draw labels in the plane, coloured by level, and images as grey dots; images outside the frame are on its edge.

    Args:
        picture: Coordinates made by :func:`cladewise.embeddings.picture`.
        taxonomy: The label tree.
        photographs: Photographs to show around the frame.
        sectors: Number of photographs that there is room for.
    """
    level = taxonomy.level[1:]
    frame = frame_of(picture)
    side = 9.6 if photographs else 7.2
    with paper(side, side + 0.3, axes_grid=False) as figure:
        axes = figure.add_subplot()
        axes.set(aspect="equal", xticks=[], yticks=[])
        for spine in axes.spines.values():
            spine.set_visible(False)
        edge = Circle(tuple(frame.centre), frame.radius, fill=False, edgecolor=OUTLINE, linewidth=1)
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
        axes.plot(*(frame.centre[:, None] if not picture.centred else np.zeros((2, 1))), marker="+", color=MUTED)
        _photographs(axes, picture, frame, photographs, sectors)
        reach = frame.radius * (EDGE if photographs else 1.02)
        axes.set(xlim=frame.centre[0] + np.array([-reach, reach]), ylim=frame.centre[1] + np.array([-reach, reach]))
        figure.legend(loc="outside lower center", ncols=min(5, taxonomy.num_levels + 1), frameon=False)
        _names(axes, picture, taxonomy)
    return figure


def _photographs(axes: Axes, picture: Picture, frame: Frame, photographs: Sequence[Photograph], sectors: int) -> None:
    """Draw photographs around the frame, each with its name and a line to its dot."""
    room = 2 * np.pi * RIM * frame.radius / max(1, sectors)
    half = min(0.3 * room, 0.1 * frame.radius)
    for each in photographs:
        at = frame.place(np.array(each.angle), RIM)
        dot = frame.within(picture.images[[each.image]])[0]
        start = frame.place(np.array(each.angle), 1.0)
        axes.plot(*np.stack([start, dot]).T, color=DOTS, linewidth=0.5, alpha=0.8, zorder=2.4, clip_on=False)
        axes.scatter(*dot, s=14, facecolors="none", edgecolors=MUTED, linewidths=0.7, zorder=4, clip_on=False)
        high, wide = each.pixels.shape[:2]
        across, along = half * wide / max(high, wide), half * high / max(high, wide)
        box = (at[0] - across, at[0] + across, at[1] - along, at[1] + along)
        axes.imshow(each.pixels, extent=box, zorder=5, interpolation="antialiased")
        below: dict[str, Any] = {"xytext": (0, -1.5), "textcoords": "offset points", "ha": "center", "va": "top"}
        axes.annotate(
            shortened(each.name, 16),
            (at[0], box[2]),
            fontsize=5.5,
            color=MUTED,
            zorder=5,
            annotation_clip=False,
            **below,
        )


def _names(axes: Axes, picture: Picture, taxonomy: Taxonomy) -> None:
    """Name the labels that there is room for, coarse levels first."""
    nodes = np.argsort(taxonomy.level[1:], kind="stable") + 1
    coarsest = taxonomy.level[nodes].min(initial=1)
    styles: list[dict[str, Any]] = [
        {"fontsize": 9, "weight": "bold", "color": INK}
        if taxonomy.level[node] == coarsest and taxonomy.num_levels > 1
        else {"fontsize": 6.5, "color": MUTED}
        for node in nodes
    ]
    place_names(axes, picture.points[nodes - 1], [str(taxonomy.names[node]) for node in nodes], styles)
