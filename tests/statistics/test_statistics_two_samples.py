"""Differences of two samples from counts: scipy's tests on the samples themselves, and their sizes."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2_contingency, ks_2samp

from cladewise.statistics import ks_difference, shares_difference

counts = st.lists(st.integers(0, 40), min_size=3, max_size=12)


@given(counts, st.randoms(use_true_random=False))
def test_kolmogorov_smirnov_is_that_of_the_repeated_bins(first: list[int], random: object) -> None:
    one = np.array(first)
    other = one[::-1].copy() + 1
    found = ks_difference(one, other)
    if not one.sum():
        assert math.isnan(found.size)
        assert found.p_value == 1.0
        return
    values = [np.repeat(np.arange(len(x)), x) for x in (one, other)]
    assert found.size == pytest.approx(ks_2samp(*values, method="asymp").statistic)


def test_p_values_are_those_of_scipy() -> None:
    one, other = np.array([300, 500, 200]), np.array([260, 480, 280])
    values = [np.repeat(np.arange(3), x) for x in (one, other)]
    assert ks_difference(one, other).p_value == pytest.approx(ks_2samp(*values, method="asymp").pvalue, abs=0.01)
    expected = chi2_contingency(np.stack([one, other]), correction=False).pvalue
    assert shares_difference(one, other).p_value == pytest.approx(expected)


def test_rare_categories_are_put_together() -> None:
    one, other = np.array([100, 1, 1, 1, 0]), np.array([100, 0, 2, 1, 1])
    merged = chi2_contingency(np.array([[100, 3], [100, 4]]), correction=False).pvalue
    assert shares_difference(one, other).p_value == pytest.approx(merged)
    assert shares_difference(np.array([9]), np.array([4])).size == 0.0
    assert shares_difference(np.array([0, 20]), np.array([20, 0])).size == 1.0
    assert math.isnan(shares_difference(np.array([0, 0]), np.array([9, 0])).size)
