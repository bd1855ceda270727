from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import beta, binom

from cladewise.errors import InputError
from cladewise.statistics import conformal_rank, images_for_coverage

shares = st.floats(0.01, 0.999)


@given(st.integers(0, 3000), shares, shares)
def test_the_least_rank_whose_coverage_is_enough(count: int, coverage: float, confidence: float) -> None:
    rank = conformal_rank(count, coverage, confidence)
    below = (rank or count + 1) - 1
    if rank is not None:
        assert beta.sf(coverage, rank, count + 1 - rank) >= confidence - 1e-9
        assert binom.cdf(rank - 1, count, coverage) >= confidence - 1e-9
    if below >= 1:
        assert binom.cdf(below - 1, count, coverage) < confidence + 1e-9
    on_average = conformal_rank(count, coverage)
    if on_average is not None:
        assert on_average / (count + 1) >= coverage - 1e-12
        assert (on_average - 1) / (count + 1) < coverage


def test_decimal_shares_are_meant_exactly() -> None:
    """In floating point, (n + 1) g can lie just above a whole number, and the rank would be one too high."""
    for count in range(1, 2000):
        for percent in range(1, 100):
            rank = conformal_rank(count, percent / 100)
            wanted = -(-(count + 1) * percent // 100)
            assert rank == (wanted if wanted <= count else None)
    assert math.ceil(100 * 0.55) == 56
    assert conformal_rank(99, 0.55) == 55


@given(shares, st.one_of(st.none(), shares))
def test_number_of_images_from_which_on_something_is_excluded(coverage: float, confidence: float | None) -> None:
    count = images_for_coverage(coverage, confidence)
    assert conformal_rank(count, coverage, confidence) is not None
    assert conformal_rank(count - 1, coverage, confidence) is None


def test_wrong_numbers() -> None:
    for call in (
        lambda: conformal_rank(-1, 0.5),
        lambda: conformal_rank(5, 1.0),
        lambda: images_for_coverage(0.5, 0.0),
    ):
        with pytest.raises(InputError):
            call()
