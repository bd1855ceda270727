from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from cladewise.errors import InputError
from cladewise.statistics import binomial_tail, clopper_pearson_interval, clopper_pearson_lower


def slow_tail(successes: int, trials: int, p: Fraction) -> Fraction:
    """Term by term, without rounding."""
    return sum(
        (math.comb(trials, k) * p**k * (1 - p) ** (trials - k) for k in range(successes, trials + 1)), Fraction()
    )


@given(st.integers(1, 60), st.data())
@settings(max_examples=30)
def test_tail_is_the_sum_of_its_terms(trials: int, data: st.DataObject) -> None:
    successes = data.draw(st.integers(0, trials))
    p = Fraction(data.draw(st.integers(1, 999)), 1000)
    assert binomial_tail(successes, trials, float(p)) == pytest.approx(
        float(slow_tail(successes, trials, p)), rel=1e-10
    )


@given(st.integers(1, 80), st.data())
@settings(max_examples=25)
def test_as_many_successes_have_the_probability_left_over_at_the_bound(trials: int, data: st.DataObject) -> None:
    successes = data.draw(st.integers(1, trials))
    confidence = data.draw(st.sampled_from([0.5, 0.9, 0.95, 0.99]))
    bound = clopper_pearson_lower(successes, trials, confidence=confidence)
    assert 0 < bound < 1
    assert float(slow_tail(successes, trials, Fraction(bound))) == pytest.approx(1 - confidence, rel=1e-9)


@pytest.mark.parametrize(("successes", "trials"), [(0, 5), (5, 5), (3, 9), (940, 1000)])
@pytest.mark.parametrize("confidence", [0.5, 0.95, 0.999])
def test_the_interval_is_that_of_scipy(successes: int, trials: int, confidence: float) -> None:
    expected = binomtest(successes, trials).proportion_ci(confidence, method="exact")
    found = clopper_pearson_interval(successes, trials, confidence=confidence)
    assert found == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_known_values() -> None:
    assert clopper_pearson_lower(50, 50) == pytest.approx(0.05 ** (1 / 50), rel=1e-12)
    assert clopper_pearson_lower(0, 7) == 0.0
    assert clopper_pearson_lower(1, 10) == pytest.approx(1 - 0.95 ** (1 / 10), rel=1e-12)
    assert clopper_pearson_lower(8, 10, confidence=0.975) == pytest.approx(0.443904538, abs=1e-9)  # textbook interval


def test_a_million_trials() -> None:
    bound = clopper_pearson_lower(900_000, 1_000_000)
    assert bound == pytest.approx(0.9 - 1.6448536 * math.sqrt(0.09 / 1e6), abs=2e-6)


def test_more_successes_give_a_higher_bound() -> None:
    bounds = [clopper_pearson_lower(k, 40) for k in range(41)]
    assert bounds == sorted(set(bounds))


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: clopper_pearson_lower(1, 0), "but got 1 of 0"),
        (lambda: clopper_pearson_lower(-1, 5), "but got -1 of 5"),
        (lambda: clopper_pearson_lower(6, 5), "but got 6 of 5"),
        (lambda: clopper_pearson_lower(1, 5, confidence=1.0), "Expected a confidence between 0 and 1, but got 1.0."),
    ],
)
def test_wrong_numbers_are_named(call, text: str) -> None:
    with pytest.raises(InputError, match=text):
        call()
