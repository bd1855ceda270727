"""Vectorised algorithms on parent arrays: depths, subtree sizes, cycles, and pre-order."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cladewise.errors import InputError

IntArray = NDArray[np.int64]


def depth_of(parents: IntArray) -> IntArray:
    """Depth of every node of a parent array in any order.

    Raises:
        InputError: Some nodes never reach a root.

    Example:
        >>> depth_of(np.array([1, -1, 0])).tolist()
        [1, 0, 2]
    """
    return path_sums(parents, (parents >= 0).astype(np.int64))


def path_sums(parents: IntArray, weights: IntArray) -> IntArray:
    """Sum of the weights of every node and all its ancestors, by pointer doubling.

    Each round doubles the stride of every pointer, so a chain of a million nodes takes 20 rounds. A pointer that has
    not reached the root after that many rounds is on, or hangs from, a cycle.

    Raises:
        InputError: Some nodes never reach a root.
    """
    size = parents.size
    jump = np.append(np.where(parents < 0, size, parents), size)  # index `size` is the place above every root
    total = np.append(weights, 0)
    for _ in range(max(1, int(size).bit_length() + 1)):
        if (jump == size).all():
            return total[:size]
        total = total + total[jump]
        jump = jump[jump]
    stuck = np.flatnonzero(jump[:size] != size)
    raise InputError(
        "every node to be connected to the root",
        f"{stuck.size} nodes on a cycle or below one",
        at=f"node {int(stuck[0])}",
        advice="Find the cycle with: cladewise taxonomy check.",
    )


def cycles(parents: IntArray) -> list[list[int]]:
    """The cycles of a parent array, each from its lowest node on; empty if every node leads up to a root.

    Example:
        >>> cycles(np.array([-1, 2, 1, 0, 1])), cycles(np.array([-1, 0]))
        ([[1, 2]], [])
    """
    size = parents.size
    jump = np.append(np.where(parents < 0, size, parents), size)
    for _ in range(int(size).bit_length() + 1):
        if (jump == size).all():
            return []
        jump = jump[jump]
    waiting = set(np.unique(jump[jump != size]).tolist())  # only nodes on cycles are left to land on
    found: list[list[int]] = []
    while waiting:
        cycle = [min(waiting)]
        while int(parents[cycle[-1]]) != cycle[0]:
            cycle.append(int(parents[cycle[-1]]))
        waiting -= set(cycle)
        found.append(cycle)
    return found


def cycle_text(names: Sequence[str]) -> str:
    """A cycle for a message, shortened after six names.

    Example:
        >>> cycle_text(["a", "b"])
        'a → b → a'
    """
    return " → ".join([*names[:6], "..."] if len(names) > 6 else [*names, names[0]])


def subtree_sizes(parents: IntArray, depth: IntArray) -> IntArray:
    """Number of nodes at or under every node, deepest level first."""
    sizes = np.ones(parents.size, dtype=np.int64)
    order = np.argsort(depth, kind="stable")
    stops = np.cumsum(np.bincount(depth)).tolist()
    for start, stop in zip(stops[-2::-1], stops[:0:-1], strict=True):
        nodes = order[start:stop]
        np.add.at(sizes, parents[nodes], sizes[nodes])
    return sizes


def preorder(parents: IntArray) -> IntArray:
    """Old index of each node in depth-first pre-order; siblings keep their order.

    A node comes one position after its parent plus the subtrees of its earlier siblings; these offsets, summed from the
    root down, give its position.

    Raises:
        InputError: There is not exactly one root, or there is a cycle.

    Example:
        >>> preorder(np.array([1, -1, 1, 0])).tolist()
        [1, 0, 3, 2]
    """
    if parents.size == 0 or int((parents < 0).sum()) != 1:
        raise InputError("exactly one root", f"{int((parents < 0).sum())} roots")
    sizes = subtree_sizes(parents, depth_of(parents))
    families = np.argsort(parents, kind="stable")  # siblings together, in input order, the root first
    before = np.cumsum(sizes[families]) - sizes[families]
    first = np.flatnonzero(np.diff(parents[families], prepend=-2))
    step = np.empty_like(parents)
    step[families] = before - np.repeat(before[first], np.diff(np.append(first, parents.size))) + 1
    order = np.empty_like(parents)
    order[path_sums(parents, step) - 1] = np.arange(parents.size)
    return order
