from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cladewise.errors import InputError
from cladewise.statistics import binomial_tail, fixed_sequence, least_successes, trials_needed


def slow_tail(successes: int, trials: int, p: Fraction) -> Fraction:
    """Term by term, without rounding."""
    terms = (math.comb(trials, k) * p**k * (1 - p) ** (trials - k) for k in range(successes, trials + 1))
    return sum(terms, Fraction())


@given(st.integers(0, 60), st.integers(0, 999), st.sampled_from([0.5, 0.9, 0.95, 0.99]))
@settings(max_examples=40)
def test_the_fewest_successes_that_reject(trials: int, thousandths: int, confidence: float) -> None:
    share = Fraction(thousandths, 1000)
    level = 1 - confidence
    expected = next(
        k for k in range(trials + 2) if share == 0 or k > trials or float(slow_tail(k, trials, share)) <= level
    )
    assert least_successes(trials, float(share), confidence=confidence) == expected


def test_the_sequence_ends_at_the_first_that_stands() -> None:
    least = least_successes(200, 0.8)
    assert fixed_sequence([200, least, least - 1, 200], 200, 0.8) == 2
    assert fixed_sequence([200, least, least], 200, 0.8) == 3
    assert fixed_sequence([least - 1, 200], 200, 0.8) == 0
    assert fixed_sequence(np.zeros((1, 0)), 200, 0.8) == 0
    least = least_successes(500, 0.99)
    assert fixed_sequence([[500, 490, 480], [500, least, least - 1]], 500, [0.8, 0.99]) == 2


def test_a_true_hypothesis_is_rejected_as_rarely_as_promised() -> None:
    """Shares that fall, rise and fall again along the sequence, by rules that share their trials."""
    generator, trials, share = np.random.default_rng(0), 150, 0.9
    rates = np.concatenate([np.linspace(1, 0.895, 40), np.linspace(0.895, 0.95, 20), np.linspace(0.95, 0.6, 40)])
    false = 0
    repeats = 4000
    for _ in range(repeats):
        successes = (generator.random((trials, 1)) < rates).sum(0)
        passed = fixed_sequence(successes, trials, share)
        false += bool((rates[:passed] < share).any())
    assert false / repeats <= 0.05 + 3 * (0.05 * 0.95 / repeats) ** 0.5
    assert false > 0  # so that the test could fail


def test_trials_needed_give_the_power_asked_for() -> None:
    for share in (0.8, 0.9, 0.95, 0.99):
        least = trials_needed(share)
        assert least_successes(least, share) == least
        assert least_successes(least - 1, share) == least  # one more than there are
        rate = (1 + share) / 2
        number = trials_needed(share, rate=rate)
        assert binomial_tail(least_successes(number, share), number, rate) >= 0.8
        fewer = int(0.85 * number)
        assert binomial_tail(least_successes(fewer, share), fewer, rate) < 0.8


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: least_successes(10, 1.0), r"a share in \[0, 1\), but got 1.0"),
        (lambda: least_successes(-1, 0.5), "a number of trials, but got -1"),
        (lambda: fixed_sequence([1], 10, 0.9, confidence=0), "a confidence between 0 and 1, but got 0"),
        (lambda: fixed_sequence([[1], [2]], 10, 0.9), "one row of successes per share, but got 2 and 1"),
        (lambda: trials_needed(0.9, rate=0.9), "a rate above the share"),
    ],
)
def test_what_cannot_be_tested_is_named(call, text: str) -> None:
    with pytest.raises(InputError, match=text):
        call()
