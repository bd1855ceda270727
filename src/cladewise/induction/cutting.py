"""Cuts through merges: which groups a readable tree with few levels keeps."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cladewise.errors import InputError
from cladewise.induction.merges import Merges

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.floating[Any]]

BRANCHING = 5
"""Children per node that the default number of levels aims at."""
WINDOW = 1.5
"""Factor by which the number of groups may differ from the geometric progression, in search of a gap."""


@dataclasses.dataclass(frozen=True, eq=False)
class Cut:
    """Groups of a tree that are kept, with their levels.

    Args:
        nodes: The groups, ascending, without the root.
        level: Level of every node of the tree that was cut, 1 for the coarsest; 0 for the root and removed groups. A
            class that is alone at a level has that level.
        num_levels: Number of levels, that of the classes included.
        num_groups: Number of groups at each level but the last; a class that is alone counts as one.
        heights: Height of each cut, coarse to fine.
    """

    nodes: IntArray
    level: IntArray
    num_levels: int
    num_groups: tuple[int, ...]
    heights: tuple[float, ...]


def default_levels(num_classes: int) -> int:
    """Number of levels, that of the classes included, with about five children per node.

    Example:
        >>> [default_levels(n) for n in (1, 3, 10, 81, 1000, 10_000)]
        [1, 1, 2, 3, 4, 6]
    """
    return 1 if num_classes < 4 else max(2, round(math.log(num_classes) / math.log(BRANCHING)))


def cut(merges: Merges, *, levels: int | None = None, groups: Sequence[int] | None = None) -> Cut:
    r"""Cut a tree to a few levels, all of whose groups were merged below one height each.

    With C classes and L levels, cut l = 1 to L - 1 aims at :math:`C^{l/L}` groups. Of the cuts that give between 2/3
    and 3/2 of that number, the one in the largest relative gap of heights is taken: the last merge before it happens
    at :math:`h_-`, the next one at :math:`h_+`, and :math:`(h_+ - h_-)/h_+` is largest. A group that two cuts share is
    kept once, at the coarser level.

    Args:
        merges: The tree.
        levels: Number of levels, that of the classes included; about five children per node by default.
        groups: Numbers of groups instead, coarse to fine. If merges at equal heights do not allow a number, the nearest
            possible one is taken.

    Raises:
        InputError: There are not so many levels or groups.

    Example:
        >>> from cladewise.induction.merges import clustered
        >>> merges = clustered(np.array([0.1, 0.9, 0.9, 0.9, 0.9, 0.2]), 4)
        >>> [m.tolist() for m in merges.members(cut(merges, groups=[2]).nodes)]
        [[0, 1], [2, 3]]
    """
    size = merges.num_classes
    tops, counts = _possible(merges)
    if groups is not None:
        if levels is not None:
            raise InputError("a number of levels or numbers of groups", "both")
        wanted = [int(number) for number in groups]
        if not wanted or sorted(set(wanted)) != wanted or wanted[0] < 2 or wanted[-1] >= size:
            shown = ", ".join(map(str, wanted)) or "none"
            raise InputError(f"ascending numbers of groups, from 2 to {max(2, size - 1)} for {size} classes", shown)
        chosen = [_nearest(counts, number) for number in wanted]
    else:
        levels = default_levels(size) if levels is None else levels
        if levels < 1:
            raise InputError("at least one level, that of the classes", levels)
        chosen = [_in_gap(tops, counts, size ** (k / levels)) for k in range(1, levels)]
    steps = sorted({step for step in chosen if 1 < counts[step] < size})
    thresholds = tops[steps]
    above = np.append(merges.height[0] + 1.0, merges.height[merges.parents[1:]])
    level = np.zeros(merges.parents.size, dtype=np.int64)
    for number, threshold in reversed(list(enumerate(thresholds.tolist(), start=1))):
        level[(merges.height <= threshold) & (above > threshold)] = number
    leaf = merges.class_of >= 0
    level[0] = 0
    level[leaf & (level == 0)] = len(steps) + 1
    kept = np.flatnonzero((level > 0) & ~leaf)
    return Cut(kept, level, len(steps) + 1, tuple(counts[steps].tolist()), tuple(thresholds.tolist()))


def every_group(merges: Merges) -> IntArray:
    """All groups below the root."""
    return np.flatnonzero(merges.class_of[1:] < 0) + 1


def _possible(merges: Merges) -> tuple[FloatArray, IntArray]:
    """Heights at which one can cut, descending, and the number of groups below each."""
    groups = np.flatnonzero(merges.class_of < 0)
    children = np.bincount(merges.parents[1:], minlength=merges.parents.size)[groups]
    heights, inverse = np.unique(merges.height[groups], return_inverse=True)
    more = np.zeros(heights.size, dtype=np.int64)
    np.add.at(more, inverse, children - 1)
    tops = heights[::-1]
    return tops, 1 + np.concatenate([[0], np.cumsum(more[::-1])[:-1]])


def _nearest(counts: IntArray, wanted: float) -> int:
    return int(np.abs(np.log(counts / wanted)).argmin())


def _in_gap(tops: FloatArray, counts: IntArray, wanted: float) -> int:
    """The cut in the largest relative gap among those with about the wanted number of groups."""
    near = np.flatnonzero((counts >= wanted / WINDOW) & (counts <= wanted * WINDOW) & (np.arange(counts.size) > 0))
    if near.size == 0:
        return _nearest(counts, wanted)
    gaps = (tops[near - 1] - tops[near]) / np.maximum(tops[near - 1], 1e-300)
    return int(near[gaps.argmax()])
