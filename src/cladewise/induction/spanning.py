"""The part of a larger tree that holds some classes, with chains collapsed."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cladewise.induction.merges import Merges
from cladewise.taxonomy import Taxonomy

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.floating[Any]]


@dataclasses.dataclass(frozen=True, eq=False)
class Spanned:
    """The smallest part of a tree with some classes.

    Args:
        merges: Its groups and classes.
        origin: Node of the larger tree for every group, and for every class the node that it was found at; -1 for a
            class that was not found and for a root that has no counterpart.
    """

    merges: Merges
    origin: IntArray


def spanned(tree: Taxonomy, found: IntArray, height: FloatArray) -> Spanned:
    """The nodes at or above the classes, without groups of one child.

    A class takes the place of its node if no other class is at or below it; otherwise the node is a group and the class
    a leaf in it. A class that was not found is a child of the root.

    Args:
        tree: The larger tree.
        found: Node of each class, or -1.
        height: Height of every node, at most that of its parent.

    Example:
        >>> tree = Taxonomy.from_paths([("life", "bird", "wren"), ("life", "bird", "robin"), ("life", "fish", "cod")])
        >>> part = spanned(tree, np.array([3, 4, 6]), tree.height)
        >>> part.merges.parents.tolist(), [str(tree.names[v]) for v in part.origin]
        ([-1, 0, 1, 1, 0], ['life', 'bird', 'wren', 'robin', 'cod'])
    """
    kept = np.zeros(tree.num_nodes, dtype=np.bool_)
    kept[0] = True
    waiting = np.unique(found[found >= 0])
    while waiting.size:
        kept[waiting] = True
        waiting = np.unique(tree.parents[waiting[waiting > 0]])
        waiting = waiting[~kept[waiting]]
    nodes = np.flatnonzero(kept)
    place = np.full(tree.num_nodes, -1)
    place[nodes] = np.arange(nodes.size)
    parents = np.concatenate([np.where(nodes > 0, place[tree.parents[nodes]], -1), place[np.maximum(found, 0)]])
    children = np.bincount(parents[parents >= 0], minlength=parents.size)
    stays = children != 1
    stays[nodes.size :] = True
    stays[0] = True
    nearest = np.arange(parents.size)  # groups precede their members, so one pass from the top is enough
    for node in np.flatnonzero(~stays).tolist():
        nearest[node] = nearest[parents[node]]
    parents = np.where(parents < 0, -1, nearest[np.maximum(parents, 0)])
    top = np.flatnonzero((parents == 0) & stays)
    if top.size == 1 and top[0] < nodes.size:  # a single group is the root itself
        stays[0] = False
        parents[top[0]] = -1
    left = np.flatnonzero(stays)
    number = np.full(parents.size, -1)
    number[left] = np.arange(left.size)
    above = parents[left]
    classes = np.concatenate([np.full(nodes.size, -1), np.arange(found.size)])[left]
    origin = np.concatenate([nodes, found])[left]
    heights = np.concatenate([height[nodes], np.zeros(found.size)])[left]
    if found.size == 1:  # a root and its only class
        heights = np.zeros(left.size)
    merges, order = Merges.of(np.where(above < 0, -1, number[above]), classes, heights)
    return Spanned(merges, origin[order])
