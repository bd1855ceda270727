"""Vectorised walks over a parent array: depths, subtree sizes, and the pre-order of a tree in any order."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cladewise.errors import InputError

IntArray = NDArray[np.int64]


def depth_of(parents: IntArray) -> IntArray:
    """Depth of every node of a parent array in any order, by pointer doubling.

    Each round doubles the stride of every pointer, so a chain of a million nodes takes 20 rounds. A pointer that has
    not reached the root after that many rounds is on, or hangs from, a cycle.

    Raises:
        InputError: Some nodes never reach a root.
    """
    size = parents.size
    jump = np.append(np.where(parents < 0, size, parents), size)  # index `size` is the place above every root
    depth = np.append(np.ones(size, dtype=np.int64), 0)
    for _ in range(max(1, int(size).bit_length() + 1)):
        if (jump == size).all():
            return depth[:size] - 1
        depth += depth[jump]
        jump = jump[jump]
    stuck = np.flatnonzero(jump[:size] != size)
    raise InputError(
        "every node to lead up to the root",
        f"{stuck.size} nodes on a cycle or below one",
        at=f"node {int(stuck[0])}",
        advice="Find the cycle with: cladewise taxonomy check.",
    )


def subtree_sizes(parents: IntArray, depth: IntArray) -> IntArray:
    """Number of nodes at or under every node, deepest level first."""
    sizes = np.ones(parents.size, dtype=np.int64)
    for nodes in _by_depth(depth)[:0:-1]:
        np.add.at(sizes, parents[nodes], sizes[nodes])
    return sizes


def preorder(parents: IntArray) -> IntArray:
    """Old index of each node in depth-first pre-order; siblings keep their order.

    Raises:
        InputError: There is not exactly one root, or a cycle.
    """
    if parents.size == 0 or int((parents < 0).sum()) != 1:
        raise InputError("exactly one root", f"{int((parents < 0).sum())} roots")
    depth = depth_of(parents)
    sizes = subtree_sizes(parents, depth)
    position = np.zeros(parents.size, dtype=np.int64)
    for nodes in _by_depth(depth)[1:]:
        above = position[parents[nodes]]
        rank = np.argsort(above, kind="stable")  # siblings together, in input order
        ordered, start = nodes[rank], above[rank]
        before = np.cumsum(sizes[ordered]) - sizes[ordered]
        first = np.flatnonzero(np.diff(start, prepend=-1))
        group = np.repeat(before[first], np.diff(np.append(first, start.size)))
        position[ordered] = start + 1 + before - group
    order = np.empty(parents.size, dtype=np.int64)
    order[position] = np.arange(parents.size)
    return order


def _by_depth(depth: IntArray) -> list[IntArray]:
    order = np.argsort(depth, kind="stable")
    return np.split(order, np.cumsum(np.bincount(depth))[:-1])
