"""Areas under ROC curves, and what a threshold misses."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from cladewise.statistics import auroc, missed_at
from reference.unknown_twin import area

scores = st.lists(st.integers(-5, 5).map(float), min_size=1, max_size=30)


@given(scores, scores)
def test_auroc_is_the_share_of_pairs(negative: list[float], positive: list[float]) -> None:
    expected = roc_auc_score([0] * len(negative) + [1] * len(positive), negative + positive)
    assert auroc(negative, positive) == pytest.approx(expected)
    assert auroc(negative, positive) == pytest.approx(area(negative, positive))
    assert auroc(positive, negative) == pytest.approx(1 - auroc(negative, positive))


@given(scores, scores, st.sampled_from([0.5, 0.9, 0.95, 1.0]))
def test_the_threshold_keeps_enough_and_no_lower_one_does(
    negative: list[float], positive: list[float], kept: float
) -> None:
    enough = [t for t in sorted(negative) if np.mean([n <= t for n in negative]) >= kept - 1e-12]
    assert missed_at(negative, positive, kept) == pytest.approx(np.mean([p <= enough[0] for p in positive]))


def test_nothing_to_compare_is_not_a_number() -> None:
    for measure in (auroc, missed_at):
        assert math.isnan(measure([], [1.0]))
        assert math.isnan(measure([1.0], []))


def test_infinite_scores_are_compared_as_they_are() -> None:
    assert auroc([-np.inf, 0.0], [np.inf, 1.0]) == 1.0
