"""Scatter plots of points coloured by class."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import hsv_to_rgb, to_rgba
from matplotlib.figure import Figure
from numpy.typing import NDArray

from cladewise.drawing.name_placing import place_names
from cladewise.drawing.palette import NEUTRAL
from cladewise.drawing.paper import STYLE
from cladewise.explanations.plane import Points
from cladewise.taxonomy import Taxonomy

IntArray = NDArray[np.int64]
FEW = 20
"""Nodes up to which each has a colour of its own from a palette that is made for that."""
PANEL = 5.2
"""Width of a panel in inches."""


@dataclasses.dataclass(frozen=True, eq=False)
class Cloud:
    """Points ``[point, 2]``, the node that each is of, and how large they are drawn, in square points."""

    points: Points
    nodes: IntArray
    sizes: Any = 7.0


def scatter(cloud: Cloud, taxonomy: Taxonomy, levels: Sequence[int], *, apart: bool = False) -> Figure:
    """Draw one panel per level, with points coloured and classes named at that level.

    Args:
        cloud: The points.
        taxonomy: The label tree.
        levels: The levels.
        apart: Whether colours are divided among the classes that are shown alone, rather than all classes.

    Example:
        >>> tree = Taxonomy.from_paths([("a", "b"), ("c", "d")])
        >>> len(scatter(Cloud(np.eye(2), np.array([2, 4])), tree, [1, 2]).axes)
        2
    """
    with mpl.rc_context({**STYLE, "axes.grid": False}):
        figure = Figure(figsize=(PANEL * len(levels), PANEL), layout="constrained")
        panels: NDArray[Any] = np.asarray(figure.subplots(1, len(levels), squeeze=False))
        for axes, level in zip(panels[0], levels, strict=True):
            axes.set_title(taxonomy.level_names[level - 1])
            draw_points(axes, cloud, taxonomy, level, apart=apart)
        for axes, level in zip(panels[0], levels, strict=True):
            draw_names(axes, cloud, taxonomy, level, apart=apart)
    return figure


def draw_points(axes: Axes, cloud: Cloud, taxonomy: Taxonomy, level: int, *, apart: bool = False) -> None:
    """Draw points coloured by their class at a level; grey if their label tells none."""
    axes.set(xticks=[], yticks=[])
    for spine in axes.spines.values():
        spine.set(visible=True, color="#e3e1da")
    shades = _shades(cloud, taxonomy, level, apart)[cloud.nodes]
    shades[~taxonomy.speaks(level)[cloud.nodes]] = to_rgba(NEUTRAL, 0.45)
    axes.scatter(*cloud.points.T, c=shades, s=cloud.sizes, linewidths=0)


def _shades(cloud: Cloud, taxonomy: Taxonomy, level: int, apart: bool) -> NDArray[np.float64]:
    if not apart:
        return node_colors(taxonomy, level)
    return node_colors(taxonomy, level, cloud.nodes[taxonomy.speaks(level)[cloud.nodes]])


def node_colors(taxonomy: Taxonomy, level: int, labels: IntArray | None = None) -> NDArray[np.float64]:
    """One colour per node, ``[node, 4]``: nodes of a level differ, and their descendants share their colour.

    With labels, only the nodes of the level that are among them or above them have colours; the others are grey.

    Of many classes the colours go round the circle of hues in the order of the tree, light and dark in turns, so that
    neighbours in the tree are alike.

    Example:
        >>> tree = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
        >>> shades = node_colors(tree, 1)
        >>> bool((shades[2] == shades[1]).all()), bool((shades[4] == shades[1]).all())
        (True, False)
    """
    nodes = taxonomy.level_nodes(level) if labels is None else np.unique(taxonomy.at_level(level)[labels])
    place = np.arange(nodes.size)
    if nodes.size <= FEW:
        shades = colormaps["tab10" if nodes.size <= 10 else "tab20"](place)
    else:
        value = np.where(place % 2 == 0, 0.9, 0.62)
        hsv = np.stack([place / nodes.size, np.full(nodes.size, 0.75), value], 1)
        shades = np.concatenate([hsv_to_rgb(hsv), np.ones((nodes.size, 1))], 1)
    own = np.zeros((taxonomy.num_nodes, 4))
    own[:] = to_rgba(NEUTRAL)
    own[nodes] = shades
    return own[taxonomy.at_level(level)]


def draw_names(axes: Axes, cloud: Cloud, taxonomy: Taxonomy, level: int, *, apart: bool = False) -> None:
    """Place the names of a level's classes at their medoids, largest classes first."""
    told = taxonomy.speaks(level)[cloud.nodes]
    at_level = taxonomy.at_level(level)[cloud.nodes[told]]
    found, counts = np.unique(at_level, return_counts=True)
    found = found[np.argsort(-counts, kind="stable")]
    shades = _shades(cloud, taxonomy, level, apart)
    middles = np.array([_medoid(cloud.points[told][at_level == node]) for node in found]).reshape(-1, 2)
    styles = [{"fontsize": 7, "color": 0.55 * shades[node, :3], "weight": "bold"} for node in found]
    place_names(axes, middles, [str(taxonomy.names[node]) or "root" for node in found], styles, centred=True)


def _medoid(points: Points) -> Points:
    """The point of a class that is nearest to the medians of its coordinates: not between two clusters."""
    return points[np.square(points - np.median(points, axis=0)).sum(1).argmin()]
