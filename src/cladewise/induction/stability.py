"""Stability of groups under resampling: how well each is found again when images are drawn anew."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cladewise.induction.merges import Linkage, Merges, clustered

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.floating[Any]]
Resample = Callable[[np.random.Generator], FloatArray]
"""Distances of all pairs of classes, computed from resampled data."""

CELLS_AT_ONCE = 1 << 22


def repeats_for(num_classes: int) -> int:
    """Number of resamples that takes seconds: 50 for up to 1,000 classes, 10 for up to 3,000, none for more."""
    return 50 if num_classes <= 1000 else 10 if num_classes <= 3000 else 0


def stability(
    groups: Sequence[IntArray], resample: Resample, num_classes: int, *, linkage: Linkage, repeats: int, seed: int
) -> FloatArray:
    r"""Mean over resamples of the largest Jaccard index of each group with any group of the resampled clustering.

    .. math:: \frac{1}{R} \sum_{r=1}^{R} \max_{h \in T_r} \frac{|g \cap h|}{|g \cup h|}

    By Hennig's rule of thumb, groups below 0.5 are dissolved and those from 0.75 on are stable.

    Args:
        groups: Classes of each group.
        resample: Distances from resampled data.
        num_classes: Number of classes.
        linkage: Linkage of the clustering.
        repeats: Number of resamples; without any the result is NaN.
        seed: Seed of the resamples.

    Returns: One value per group, in [0, 1].

    References: Hennig, Cluster-wise assessment of cluster stability, CSDA 2007.
    """
    total = np.zeros(len(groups))
    if repeats == 0 or not groups:
        return np.full(len(groups), np.nan)
    random = np.random.default_rng(seed)
    for _ in range(repeats):
        total += best_jaccard(groups, clustered(resample(random), num_classes, linkage))
    return total / repeats


def best_jaccard(groups: Sequence[IntArray], merges: Merges) -> FloatArray:
    """Largest Jaccard index of each group with any node of a tree over the same classes.

    Example:
        >>> merges = clustered(np.array([0.1, 0.9, 0.9]), 3)
        >>> best_jaccard([np.array([0, 1]), np.array([1, 2])], merges).round(2).tolist()
        [1.0, 0.67]
    """
    leaf = merges.class_of >= 0
    before = np.concatenate([[0], np.cumsum(leaf)])
    start, stop = before[:-1], before[merges.end]
    sizes = stop - start
    order = merges.class_of[leaf]
    best = np.zeros(len(groups))
    step = max(1, CELLS_AT_ONCE // merges.parents.size)
    for first in range(0, len(groups), step):
        part = groups[first : first + step]
        inside = np.zeros((len(part), order.size), dtype=np.int64)
        for row, members in enumerate(part):
            inside[row] = np.isin(order, members)
        sums = np.concatenate([np.zeros((len(part), 1), dtype=np.int64), np.cumsum(inside, axis=1)], axis=1)
        shared = sums[:, stop] - sums[:, start]
        union = sums[:, -1:] + sizes - shared
        best[first : first + step] = (shared / union).max(1)
    return best
