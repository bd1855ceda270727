"""How well a score tells positives from negatives."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike


def auroc(negative: ArrayLike, positive: ArrayLike) -> float:
    r"""Area under the ROC curve: the probability that a positive has a larger score than a negative.

    .. math:: P(s_+ > s_-) + \tfrac{1}{2} P(s_+ = s_-)

    over all pairs, by ranks. It equals ``sklearn.metrics.roc_auc_score``, without scikit-learn.

    Args:
        negative: Scores of the negatives.
        positive: Scores of the positives.

    Returns:
        A number in [0, 1]; NaN if there are no negatives or no positives.

    Example:
        >>> auroc([1.0, 2.0, 3.0], [3.0, 4.0])
        0.9166666666666666

    References: Hanley and McNeil, The meaning and use of the area under a receiver operating characteristic (ROC)
        curve, Radiology 143, 1982.
    """
    low, high = (np.asarray(values, dtype=np.float64) for values in (negative, positive))
    if not low.size or not high.size:
        return math.nan
    order = np.sort(low)
    below = np.searchsorted(order, high, side="left")
    up_to = np.searchsorted(order, high, side="right")
    return float((below + up_to).sum() / (2 * low.size * high.size))


def missed_at(negative: ArrayLike, positive: ArrayLike, kept: float = 0.95) -> float:
    """Share of the positives that are missed by the least threshold that keeps a share of the negatives below it.

    A positive is missed if its score is at or below the threshold, which is the smallest score of a negative with at
    least that share of the negatives at or below it. With images of known classes as negatives and of new classes as
    positives it is the false positive rate at 95% of the literature, where known is called positive.

    Args:
        negative: Scores of the negatives.
        positive: Scores of the positives.
        kept: Share of the negatives, in (0, 1].

    Returns:
        A number in [0, 1]; NaN if there are no negatives or no positives.

    Example:
        >>> missed_at(range(100), [94, 95, 96, 120])
        0.25
    """
    low, high = (np.asarray(values, dtype=np.float64) for values in (negative, positive))
    if not low.size or not high.size:
        return math.nan
    threshold = np.sort(low)[math.ceil(round(kept * low.size, 9)) - 1]
    return float((high <= threshold).mean())
