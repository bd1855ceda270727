"""Exact confidence bounds of a binomial probability."""

from __future__ import annotations

from cladewise.errors import InputError


def clopper_pearson_lower(successes: int, trials: int, *, confidence: float = 0.95) -> float:
    r"""Exact one-sided lower confidence bound of a probability of success (Clopper and Pearson).

    .. math:: \underline{p} = \min \{p : P(X \ge k \mid n, p) > 1 - c\}, \qquad X \sim \operatorname{Bin}(n, p)

    It equals ``scipy.stats.binomtest(k, n, alternative="greater").proportion_ci(c, method="exact").low``, without the
    slow import of ``scipy.stats``.

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
    if successes == 0:
        return 0.0
    from scipy.special import betaincinv

    return float(betaincinv(successes, trials - successes + 1, 1 - confidence))


def clopper_pearson_interval(successes: int, trials: int, *, confidence: float = 0.95) -> tuple[float, float]:
    """Exact two-sided confidence interval of a probability of success (Clopper and Pearson).

    Each end is the one-sided bound at half the risk: ``scipy.stats.binomtest(k, n).proportion_ci(c, method="exact")``.

    Args:
        successes: Number of successes.
        trials: Number of trials, at least one.
        confidence: Probability that the interval covers the true one, in (0, 1).

    Raises:
        InputError: As :func:`clopper_pearson_lower`.

    Example:
        >>> low, high = clopper_pearson_interval(8, 10)
        >>> round(low, 3), round(high, 3)
        (0.444, 0.975)
    """
    one_sided = (1 + confidence) / 2
    low = clopper_pearson_lower(successes, trials, confidence=one_sided)
    return low, 1 - clopper_pearson_lower(trials - successes, trials, confidence=one_sided)


def binomial_tail(successes: int, trials: int, probability: float) -> float:
    r"""Probability of at least that many successes, a regularised incomplete beta function.

    .. math:: P(X \ge k \mid n, p) = I_p(k, n - k + 1)

    Example:
        >>> round(binomial_tail(2, 3, 0.5), 12)
        0.5
    """
    if successes <= 0:
        return 1.0
    if successes > trials:
        return 0.0
    from scipy.special import betainc

    return float(betainc(successes, trials - successes + 1, probability))
