"""Number of corresponding leaves below pairs of nodes of two trees.

The leaves below a node are a range of pre-order positions, so corresponding leaves are points in the plane, and those
below a pair of nodes are the points in a rectangle. They are counted bit by bit with a wavelet matrix (Claude, Navarro
and Ordóñez, The wavelet matrix, Information Systems 2015), in memory and time linear in the number of bits.
"""

from __future__ import annotations

import numpy as np

from cladewise.taxonomy.arrays import BoolArray, IntArray
from cladewise.taxonomy.tree import Taxonomy


class Points:
    """Points ``(x, y)`` of the plane, for counting those in many rectangles at once.

    Args:
        x: First coordinates, ``[point]``, integers from 0.
        y: Second coordinates, ``[point]``, integers from 0.

    Example:
        >>> points = Points(np.array([0, 1, 1, 5]), np.array([2, 0, 3, 9]))
        >>> points.within(np.array([0, 1]), np.array([2, 6]), np.array([0, 3]), np.array([4, 10])).tolist()
        [3, 2]
    """

    def __init__(self, x: IntArray, y: IntArray) -> None:
        order = np.argsort(x, kind="stable")
        self._x, values = x[order], y[order]
        self._bits = int(y.max(initial=0)).bit_length()
        self._zeros: list[IntArray] = []  # number of zeros before each position, for each bit from the highest
        for bit in range(self._bits - 1, -1, -1):
            zero = (values >> bit) & 1 == 0
            self._zeros.append(np.concatenate([[0], np.cumsum(zero)]))
            values = np.concatenate([values[zero], values[~zero]])

    def within(self, x_start: IntArray, x_end: IntArray, y_start: IntArray, y_end: IntArray) -> IntArray:
        """Number of points with ``x_start <= x < x_end`` and ``y_start <= y < y_end``, elementwise."""
        first, last = np.searchsorted(self._x, x_start), np.searchsorted(self._x, x_end)
        return self._below(first, last, y_end) - self._below(first, last, y_start)

    def _below(self, first: IntArray, last: IntArray, bound: IntArray) -> IntArray:
        """Number of values smaller than the bound among the positions from first to last."""
        count = np.where(bound >= 1 << self._bits, last - first, 0)
        for bit, zeros in zip(range(self._bits - 1, -1, -1), self._zeros, strict=True):
            one = (bound >> bit) & 1 == 1
            from_zero, to_zero = zeros[first], zeros[last]
            count += np.where(one & (bound < 1 << self._bits), to_zero - from_zero, 0)
            first = np.where(one, zeros[-1] + first - from_zero, from_zero)
            last = np.where(one, zeros[-1] + last - to_zero, to_zero)
        return count


class Overlap:
    """Corresponding leaves below nodes of two trees.

    A pair counts as leaves if its node of either tree is a leaf.

    Example:
        >>> old = Taxonomy.from_paths([("cat", "lion"), ("cat", "lynx"), ("dog", "wolf")])
        >>> new = Taxonomy.from_paths([("feline", "lion"), ("feline", "lynx"), ("canine", "wolf")])
        >>> overlap = Overlap(old, new, np.array([2, 3, 5]), np.array([2, 3, 5]))
        >>> overlap.shared(np.array([1, 1]), np.array([1, 4])).tolist(), overlap.of_old[[1, 4]].tolist()
        ([2, 0], [2, 1])
    """

    def __init__(self, old: Taxonomy, new: Taxonomy, old_nodes: IntArray, new_nodes: IntArray) -> None:
        self._old, self._new = old, new
        leaves = old.is_leaf[old_nodes] | new.is_leaf[new_nodes]
        x, y = old_nodes[leaves], new_nodes[leaves]
        self._points = Points(x, y)
        self.of_old = _below(old, x)
        """Number of leaves with a counterpart at or below each old node."""
        self.of_new = _below(new, y)
        """Number of leaves with a counterpart at or below each new node."""

    def shared(self, old_nodes: IntArray, new_nodes: IntArray) -> IntArray:
        """Number of leaves below each old node whose counterparts are below the new one, elementwise."""
        ends = self._old.end[old_nodes], self._new.end[new_nodes]
        return self._points.within(old_nodes, ends[0], new_nodes, ends[1])


def _below(tree: Taxonomy, nodes: IntArray) -> IntArray:
    """Number of the nodes in each subtree."""
    before = np.concatenate([[0], np.cumsum(np.bincount(nodes, minlength=tree.num_nodes))])
    return before[tree.end] - before[:-1]


def contained(tree: Taxonomy, ancestor: IntArray, node: IntArray) -> BoolArray:
    """Whether nodes are strictly below others, elementwise."""
    return (ancestor < node) & (node < tree.end[ancestor])
