"""Whether two samples come from one distribution, from counts: a test, and how large the difference is."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from jaxtyping import Int
from numpy.typing import NDArray

FEWEST = 5
"""Smallest count that is expected in a category of a chi-square test; rarer categories are put together."""


@dataclasses.dataclass(frozen=True)
class Difference:
    """Difference of two samples.

    Args:
        size: From 0, equal, to 1, without anything in common; NaN if a sample is empty.
        p_value: Probability of a difference as large if both come from one distribution.
    """

    size: float
    p_value: float


def ks_difference(first: Int[np.ndarray, " bin"], second: Int[np.ndarray, " bin"]) -> Difference:
    """Two-sample Kolmogorov-Smirnov test of counts in ordered bins; the size is the largest distance of the shares.

    The p-value is the asymptotic one. Values within a bin count as equal, which makes it larger if anything.

    Example:
        >>> ks_difference(np.array([50, 30, 20]), np.array([20, 30, 50]))
        Difference(size=0.3, p_value=0.0002468...)
    """
    from scipy.stats import kstwobign

    n, m = int(first.sum()), int(second.sum())
    if not n or not m:
        return Difference(float("nan"), 1.0)
    size = float(np.abs(np.cumsum(first) / n - np.cumsum(second) / m).max())
    return Difference(round(size, 12), float(kstwobign.sf(size * np.sqrt(n * m / (n + m)))))


def shares_difference(first: Int[np.ndarray, " category"], second: Int[np.ndarray, " category"]) -> Difference:
    r"""Chi-square test of counts in categories; the size is the total variation distance of the shares.

    .. math:: \tfrac{1}{2} \sum_c |f_c / n - g_c / m|

    It is the smallest share of one sample that would have to be in another category. Categories in which fewer than 5
    of either sample are expected are put together for both.

    Example:
        >>> shares_difference(np.array([50, 30, 20]), np.array([20, 30, 50])).size
        0.3
    """
    from scipy.stats import chi2_contingency

    n, m = int(first.sum()), int(second.sum())
    if not n or not m:
        return Difference(float("nan"), 1.0)
    table = np.stack([first, second])
    rare = table.sum(0) * (min(n, m) / (n + m)) < FEWEST
    merged = np.concatenate([table[:, ~rare], table[:, rare].sum(1, keepdims=True)], axis=1)
    merged = merged[:, merged.sum(0) > 0]
    size = float(np.abs(merged[0] / n - merged[1] / m).sum() / 2)
    if merged.shape[1] < 2:
        return Difference(0.0, 1.0)
    found: Any = chi2_contingency(merged, correction=False)
    return Difference(round(size, 12), float(found.pvalue))


def mean_place(counts: NDArray[np.int64]) -> float:
    """Mean index of the bins of a sample; NaN if it is empty.

    Example:
        >>> mean_place(np.array([1, 0, 1]))
        1.0
    """
    total = counts.sum()
    return float(counts @ np.arange(len(counts)) / total) if total else float("nan")
