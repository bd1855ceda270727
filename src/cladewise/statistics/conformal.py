"""Ranks of order statistics for which sets calibrated on other images cover a promised share."""

from __future__ import annotations

import math
from fractions import Fraction

from cladewise.errors import InputError
from cladewise.statistics.binomial import binomial_tail


def conformal_rank(count: int, coverage: float, confidence: float | None = None) -> int | None:
    r"""Rank, from 1, of the calibration score that bounds the scores to be covered; ``None`` if all have to be.

    Without a confidence, the coverage is promised on average over calibration sets and images (split conformal
    prediction):

    .. math:: k = \lceil (n + 1)\, g \rceil

    With a confidence *c*, a calibration set is drawn for which at least a share *g* of further images is covered, with
    that probability. Given the calibration set, the share is distributed as :math:`\operatorname{Beta}(k, n + 1 - k)`
    for scores without ties, and is larger with ties, so

    .. math:: k = \min \{k : P(\operatorname{Bin}(n, g) < k) \ge c\}

    If :math:`k > n`, no score of the *n* is enough: everything has to be covered.

    Args:
        count: Number of calibration images, *n*.
        coverage: Share *g* to be covered, in (0, 1). It is taken as the decimal number that it is written as.
        confidence: Probability *c*, in (0, 1); ``None`` for the average.

    Raises:
        InputError: A number is out of its range.

    Example:
        >>> conformal_rank(99, 0.9), conformal_rank(8, 0.9), conformal_rank(9, 0.9)
        (90, None, 9)
        >>> conformal_rank(99, 0.9, 0.95), conformal_rank(28, 0.9, 0.95), conformal_rank(29, 0.9, 0.95)
        (95, None, 29)

    References:
        Vovk, Gammerman and Shafer, Algorithmic Learning in a Random World, 2005; Vovk, Conditional validity of
        inductive conformal predictors, ACML 2012, proposition 2a, for the confidence.
    """
    if count < 0:
        raise InputError("a number of images", count)
    _check(coverage, confidence)
    if confidence is None:
        rank = math.ceil((count + 1) * _exact(coverage))
    else:
        low, high = 1, count + 1
        while low < high:
            middle = (low + high) // 2
            if binomial_tail(middle, count, coverage) <= 1 - confidence:
                high = middle
            else:
                low = middle + 1
        rank = low
    return rank if rank <= count else None


def images_for_coverage(coverage: float, confidence: float | None = None) -> int:
    """Least number of calibration images from which on :func:`conformal_rank` can leave anything out.

    Raises:
        InputError: A number is out of its range.

    Example:
        >>> images_for_coverage(0.9), images_for_coverage(0.99), images_for_coverage(0.9, 0.95)
        (9, 99, 29)
    """
    _check(coverage, confidence)
    if confidence is None:
        return math.ceil(_exact(coverage) / (1 - _exact(coverage)))
    found = max(1, math.ceil(math.log1p(-confidence) / math.log(coverage)))
    return found if conformal_rank(found, coverage, confidence) is not None else found + 1  # the ratio was rounded


def _exact(share: float) -> Fraction:
    return Fraction(repr(float(share)))


def _check(coverage: float, confidence: float | None) -> None:
    if not 0 < coverage < 1:
        raise InputError("a coverage between 0 and 1", coverage, advice="0.9 covers nine images out of ten.")
    if confidence is not None and not 0 < confidence < 1:
        raise InputError("a confidence between 0 and 1", confidence, advice="Leave it out for the coverage on average.")
