"""How often something succeeds, at the least, judging by a number of trials."""

from __future__ import annotations

import math

from cladewise.errors import InputError

TINY = 1e-300
"""Stands for 0 in denominators of the continued fraction."""


def clopper_pearson_lower(successes: int, trials: int, *, confidence: float = 0.95) -> float:
    r"""One-sided lower confidence bound of a probability of success; exact, hence never too high.

    .. math:: \underline{p} = \min \{p : P(X \ge k \mid n, p) > 1 - c\}, \qquad X \sim \operatorname{Bin}(n, p)

    Args:
        successes: Number of successes ``k``.
        trials: Number of trials ``n``, at least one.
        confidence: Probability ``c`` that the bound is below the true one, in (0, 1).

    Raises:
        InputError: The numbers are not those of trials, or the confidence is not in (0, 1).

    Example:
        >>> round(clopper_pearson_lower(50, 50), 6) == round(0.05 ** (1 / 50), 6)
        True
        >>> clopper_pearson_lower(0, 50)
        0.0

    References:
        Clopper and Pearson, The use of confidence or fiducial limits illustrated in the case of the binomial,
        Biometrika 26, 1934.
    """
    if not (trials >= 1 and 0 <= successes <= trials):
        raise InputError("0 to n successes of n trials, n at least 1", f"{successes} of {trials}")
    if not 0 < confidence < 1:
        raise InputError("a confidence between 0 and 1", confidence)
    if successes in (0, trials):
        return 0.0 if successes == 0 else (1 - confidence) ** (1 / trials)
    low, high = 0.0, 1.0
    while low < (middle := (low + high) / 2) < high:  # until no number lies between them
        if binomial_tail(successes, trials, middle) > 1 - confidence:
            high = middle
        else:
            low = middle
    return low


def binomial_tail(successes: int, trials: int, probability: float) -> float:
    r"""Probability of at least that many successes, which is a regularised incomplete beta function.

    .. math:: P(X \ge k \mid n, p) = I_p(k, n - k + 1)

    Example:
        >>> round(binomial_tail(2, 3, 0.5), 12)
        0.5
    """
    if successes <= 0:
        return 1.0
    return _regularised_beta(float(successes), float(trials - successes + 1), probability)


def _regularised_beta(a: float, b: float, x: float) -> float:
    r""":math:`I_x(a, b)`, by the continued fraction on the side where it converges fast."""
    if x <= 0 or x >= 1:
        return float(x >= 1)
    if x > (a + 1) / (a + b + 2):
        return 1 - _regularised_beta(b, a, 1 - x)
    log_front = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    return math.exp(log_front) * _beta_fraction(a, b, x) / a


def _beta_fraction(a: float, b: float, x: float) -> float:
    """The continued fraction of the incomplete beta function, by Lentz's method.

    It takes a number of steps that grows with the square root of the larger of ``a`` and ``b``.
    """
    c, d = 1.0, 1 / _nonzero(1 - (a + b) * x / (a + 1))
    value = d
    for m in range(1, 100 + 10 * math.isqrt(int(max(a, b)))):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            d = 1 / _nonzero(1 + term * d)
            c = _nonzero(1 + term / c)
            value *= c * d
        if abs(c * d - 1) < 1e-15:
            break
    return value


def _nonzero(x: float) -> float:
    return x if abs(x) > TINY else TINY
