"""Learn-then-test: a sequence of hypotheses about shares, tested in a fixed order until the first that stands."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from cladewise.errors import InputError
from cladewise.statistics.binomial import binomial_tail

LARGEST_ESTIMATE = 1 << 40
"""Number of trials beyond which :func:`trials_needed` does not search."""


def least_successes(trials: int, share: float, *, confidence: float = 0.95) -> int:
    r"""The fewest successes that reject a share below the given one, by the exact one-sided binomial test.

    .. math:: \min \{k : P(X \ge k \mid n, g) \le 1 - c\}, \qquad X \sim \operatorname{Bin}(n, g)

    Args:
        trials: Number of trials :math:`n`, at least 0.
        share: The share :math:`g`, in [0, 1).
        confidence: The confidence :math:`c`, in (0, 1).

    Returns:
        A number of successes, or one more than there are trials if even all of them would not do.

    Raises:
        InputError: An argument is out of its range.

    Example:
        >>> least_successes(29, 0.9), least_successes(28, 0.9), least_successes(100, 0.9)
        (29, 29, 96)
    """
    _check(share, confidence)
    if trials < 0:
        raise InputError("a number of trials", trials)
    if share == 0:
        return 0
    low, high = 0, trials + 1  # the tail falls with the number of successes; beyond all trials it is 0
    while low < high:
        middle = (low + high) // 2
        if binomial_tail(middle, trials, share) <= 1 - confidence:
            high = middle
        else:
            low = middle + 1
    return low


def fixed_sequence(successes: ArrayLike, trials: int, share: float | ArrayLike, *, confidence: float = 0.95) -> int:
    r"""Number of hypotheses rejected before the first that is not, in the order of a fixed sequence.

    Hypothesis :math:`H_j` says that rule :math:`j` succeeds with a probability below :math:`g`. It is rejected if the
    exact binomial test at level :math:`1 - c` rejects it (:func:`least_successes`); the first that is not rejected ends
    the sequence. **Whatever the probabilities are, and however the rules depend on each other, the probability that any
    true hypothesis is rejected is at most** :math:`1 - c`: a true one is only reached if all before it were rejected,
    so some true one is rejected only if the first true one is, which has a probability of at most :math:`1 - c`. That
    requires that the rules and their order are fixed without the trials that they are tested on; it does not require
    that probabilities fall along the sequence.

    With several rows, rule :math:`j` makes several promises, each with its own share, and :math:`H_j` says that at
    least one of them is broken. It is rejected if the test of every row rejects: an intersection–union test, which has
    level :math:`1 - c` without a correction, since some one row is broken under :math:`H_j` and its own test rejects
    with a probability of at most :math:`1 - c`. So the promises hold all at once with confidence :math:`c`.

    Args:
        successes: Number of successes of each rule, ``[rule]`` or ``[promise, rule]``, from the first to be tested.
        trials: Number of trials, the same for all.
        share: The share :math:`g` in [0, 1) that is promised, or one per promise.
        confidence: The confidence :math:`c`, in (0, 1).

    Returns:
        A number of rules: all before that one may be used, as may any single one of them.

    Raises:
        InputError: The shapes differ, or an argument is out of its range.

    Example:
        >>> fixed_sequence([100, 97, 96, 94, 98], 100, 0.9)
        3
        >>> fixed_sequence([[100, 97, 95], [100, 100, 98]], 100, [0.9, 0.99])
        0

    References:
        Angelopoulos, Bates, Candès, Jordan and Lei, Learn then test: calibrating predictive algorithms to achieve risk
        control, arXiv:2110.01052, section 2.3; Berger, Multiparameter hypothesis testing and acceptance sampling,
        Technometrics 24, 1982, for several promises at once.
    """
    found, shares = np.atleast_2d(np.asarray(successes)), np.atleast_1d(np.asarray(share, dtype=float))
    if len(found) != len(shares):
        raise InputError("one row of successes per share", f"{len(found)} and {len(shares)}")
    least = [least_successes(trials, float(one), confidence=confidence) for one in shares]
    passed = np.asarray((found >= np.array(least)[:, None]).all(axis=0))
    return int(passed.argmin()) if not passed.all() else passed.size


def trials_needed(share: float, *, confidence: float = 0.95, rate: float = 1.0, power: float = 0.8) -> int:
    r"""Number of trials that show a share, if successes come at a given rate.

    Without failures it is :math:`\lceil \log(1 - c) / \log g \rceil`, below which nothing can be shown. Otherwise it is
    about the number from which the test of :func:`least_successes` rejects with the given power.

    Args:
        share: The share :math:`g` to be shown, in [0, 1).
        confidence: The confidence :math:`c`, in (0, 1).
        rate: The true rate of successes, above the share and at most 1.
        power: Probability of showing it, in (0, 1).

    Raises:
        InputError: An argument is out of its range.

    Example:
        >>> trials_needed(0.9), trials_needed(0.99)
        (29, 299)
        >>> trials_needed(0.9, rate=0.93) in range(500, 600)
        True
    """
    _check(share, confidence)
    if not (share < rate <= 1 and 0 < power < 1):
        raise InputError("a rate above the share, and a power between 0 and 1", f"{rate} and {power}")
    least = max(1, math.ceil(math.log(1 - confidence) / math.log(share))) if share > 0 else 1
    if rate == 1:
        return least

    def shows(trials: int) -> bool:
        return binomial_tail(least_successes(trials, share, confidence=confidence), trials, rate) >= power

    high = least
    while not shows(high) and high < LARGEST_ESTIMATE:
        high *= 2
    low = max(least, high // 2)
    while low < high:  # the power has small dips, so this is the number to a few in a hundred
        middle = (low + high) // 2
        low, high = (low, middle) if shows(middle) else (middle + 1, high)
    return high


def _check(share: Any, confidence: float) -> None:
    if not 0 <= share < 1:
        raise InputError("a share in [0, 1)", share)
    if not 0 < confidence < 1:
        raise InputError("a confidence between 0 and 1", confidence)
