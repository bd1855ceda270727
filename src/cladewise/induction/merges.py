"""Merges: a tree over classes in which every group has a height, before it is cut to a few levels."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from cladewise.errors import InputError
from cladewise.taxonomy.order import depth_of, preorder, subtree_sizes

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.floating[Any]]
Linkage = Literal["average", "complete"]

MOST_CLASSES = 10_000
"""Most classes whose distances are all in memory: 50 million pairs, 0.4 GB, twice during clustering."""


@dataclasses.dataclass(frozen=True, eq=False)
class Merges:
    """A rooted tree whose leaves are classes, in depth-first pre-order with the root at 0.

    Args:
        parents: Parent of every node, -1 at the root.
        class_of: Class of every leaf, -1 for groups, ``[node]``.
        height: Distance at which the members of a node are merged, at most that of its parent; 0 for a class.

    Example:
        >>> merges = clustered(np.array([0.1, 0.9, 0.9]), 3)
        >>> merges.parents.tolist(), merges.class_of.tolist(), merges.height.round(1).tolist()
        ([-1, 0, 1, 1, 0], [-1, -1, 0, 1, 2], [0.9, 0.1, 0.0, 0.0, 0.0])
    """

    parents: IntArray
    class_of: IntArray
    height: FloatArray

    @classmethod
    def of(cls, parents: Sequence[int] | IntArray, class_of: IntArray, height: FloatArray) -> tuple[Merges, IntArray]:
        """Renumber nodes given in any order. Also returns the old number of each node."""
        given = np.asarray(parents, dtype=np.int64)
        order = preorder(given)
        place = np.empty_like(order)
        place[order] = np.arange(order.size)
        above = given[order]
        above = np.where(above < 0, -1, place[above])
        return cls(above, class_of[order], np.asarray(height, dtype=np.float64)[order]), order

    @property
    def end(self) -> IntArray:
        """One past the last descendant of every node."""
        return np.arange(self.parents.size) + subtree_sizes(self.parents, depth_of(self.parents))

    @property
    def num_classes(self) -> int:
        """Number of leaves."""
        return int((self.class_of >= 0).sum())

    def members(self, nodes: IntArray) -> list[IntArray]:
        """Classes at or under each of some nodes, ascending."""
        end = self.end
        found = [self.class_of[node : end[node]] for node in nodes.tolist()]
        return [np.sort(classes[classes >= 0]) for classes in found]


def clustered(distances: FloatArray, num_classes: int, linkage: Linkage = "average") -> Merges:
    r"""Agglomerative clustering of classes from the distances of all pairs, by SciPy.

    Two groups are merged at the mean (``average``) or the largest (``complete``) distance between their members:

    .. math:: d(A, B) = \frac{1}{|A| |B|} \sum_{a \in A, b \in B} d(a, b)

    Args:
        distances: Distance of every pair, in the order of ``scipy.spatial.distance.pdist``, ``[pair]``.
        num_classes: Number of classes, at most 10,000.
        linkage: ``"average"`` or ``"complete"``.

    Raises:
        InputError: There is no such linkage, or there are too many classes for the distances of all pairs.

    References: Sokal and Michener, A statistical method for evaluating systematic relationships, 1958 (average
        linkage). Müllner, fastcluster, JSS 2013 (the algorithm).
    """
    if linkage not in get_args(Linkage):
        raise InputError(f"a linkage: {', '.join(get_args(Linkage))}", repr(linkage))
    check_size(num_classes)
    size = num_classes
    if size < 2:
        nodes = np.arange(size + 1) - 1  # a root, and its only class
        return Merges(np.minimum(nodes, 0)[: size + 1], nodes, np.zeros(size + 1))
    from scipy.cluster import hierarchy

    steps = hierarchy.linkage(distances, linkage)
    parents = np.full(2 * size - 1, -1)
    for row, (first, second) in enumerate(steps[:, :2].astype(np.int64)):
        parents[[first, second]] = size + row
    classes = np.concatenate([np.arange(size), np.full(size - 1, -1)])
    height = np.concatenate([np.zeros(size), np.maximum(steps[:, 2], 0)])
    # children by their first class, so that the order does not depend on that of equal merges
    first = np.arange(2 * size - 1)
    for node in range(2 * size - 2):
        first[parents[node]] = first[node] if first[parents[node]] >= size else min(first[parents[node]], first[node])
    by_first = np.argsort(first, kind="stable")
    place = np.empty_like(by_first)
    place[by_first] = np.arange(by_first.size)
    above = np.where(parents < 0, -1, place[parents])
    return Merges.of(above[by_first], classes[by_first], height[by_first])[0]


def check_size(num_classes: int) -> None:
    """Refuse so many classes that the distances of all pairs do not fit in memory.

    Raises:
        InputError: There are more than 10,000.
    """
    if num_classes > MOST_CLASSES:
        raise InputError(
            f"at most {MOST_CLASSES:,} classes to cluster",
            f"{num_classes:,}, whose distances would take {8 * num_classes**2 / 1e9:.1f} GB",
            advice="Take wordnet or a tree file, which compare no pairs, or cluster each part of the classes alone.",
        )
