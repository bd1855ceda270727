"""How two ways to group the same things agree; NumPy only."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cladewise.errors import InputError


@dataclasses.dataclass(frozen=True)
class Agreement:
    """Of clusters with classes.

    Args:
        adjusted_rand: Share of the pairs on which both agree, less what chance gives: 0 for random clusters, 1 for the
            classes themselves.
        mutual_information: Mutual information over the mean of the two entropies, in [0, 1].
        purity: Share of the things that are of the most frequent class of their cluster; more clusters make it larger.
        count: How many things.
    """

    adjusted_rand: float
    mutual_information: float
    purity: float
    count: int


def agreement(clusters: ArrayLike, classes: ArrayLike) -> Agreement:
    r"""Adjusted Rand index, normalised mutual information and purity of clusters.

    With :math:`n_{ij}` things in cluster i of class j,

    .. math:: \mathrm{ARI} = \frac{\sum \binom{n_{ij}}{2} - E}{\tfrac12 (A + B) - E}, \qquad
        A = \sum_i \binom{n_{i\cdot}}{2},\; B = \sum_j \binom{n_{\cdot j}}{2},\; E = AB \big/ \tbinom{n}{2}

    Two groupings that both put everything together, or everything apart, agree entirely.

    Args:
        clusters: Cluster of each thing.
        classes: Class of each.

    Raises:
        InputError: They are not as many.

    Example:
        >>> agreement([0, 0, 1, 1], ["a", "a", "b", "b"])
        Agreement(adjusted_rand=1.0, mutual_information=1.0, purity=1.0, count=4)

    References: Hubert and Arabie, Comparing partitions, 1985. The mean of the entropies is the arithmetic one.
    """
    first, second = np.asarray(clusters).ravel(), np.asarray(classes).ravel()
    if first.shape != second.shape:
        raise InputError("a class for every thing in a cluster", f"{second.size} of {first.size}")
    if first.size == 0:
        return Agreement(np.nan, np.nan, np.nan, 0)
    _, rows = np.unique(first, return_inverse=True)
    _, columns = np.unique(second, return_inverse=True)
    num_columns = int(columns.max()) + 1
    cells, counts = np.unique(rows.astype(np.int64) * num_columns + columns, return_counts=True)
    by_row, by_column = np.bincount(rows), np.bincount(columns)
    best = np.zeros(by_row.size, dtype=np.int64)
    np.maximum.at(best, cells // num_columns, counts)
    return Agreement(
        _adjusted_rand(counts, by_row, by_column, first.size),
        _mutual_information(counts, by_row, by_column, first.size),
        float(best.sum() / first.size),
        first.size,
    )


Counts = NDArray[np.integer]


def _adjusted_rand(cells: Counts, rows: Counts, columns: Counts, total: int) -> float:
    together, left, right, every = (_pairs(x) for x in (cells, rows, columns, np.array([total])))
    expected = left * right / every if every else 0.0
    most = (left + right) / 2
    return float((together - expected) / (most - expected)) if most != expected else 1.0


def _mutual_information(cells: Counts, rows: Counts, columns: Counts, total: int) -> float:
    joint, left, right = (_entropy(x / total) for x in (cells, rows, columns))
    mean = (left + right) / 2
    return float(min(1.0, max(0.0, left + right - joint) / mean)) if mean > 0 else 1.0


def _pairs(counts: Counts) -> float:
    whole = counts.astype(np.float64)
    return float((whole * (whole - 1) / 2).sum())


def _entropy(shares: NDArray[np.floating]) -> float:
    return float(-(shares * np.log(shares)).sum())
