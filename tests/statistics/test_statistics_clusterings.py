"""Agreement of clusters with classes, against scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from cladewise import InputError
from cladewise.statistics import agreement

PAIRS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=40)


@given(PAIRS)
def test_it_is_scikit_learns(pairs: list[tuple[int, int]]) -> None:
    clusters, classes = zip(*pairs, strict=True)
    found = agreement(clusters, classes)
    assert found.adjusted_rand == pytest.approx(metrics.adjusted_rand_score(classes, clusters), abs=1e-9)
    expected = metrics.normalized_mutual_info_score(classes, clusters)
    if len(set(clusters)) > 1 or len(set(classes)) > 1:
        assert found.mutual_information == pytest.approx(expected, abs=1e-9)
    table = metrics.cluster.contingency_matrix(classes, clusters)
    assert found.purity == pytest.approx(table.max(0).sum() / table.sum())
    assert found.count == len(pairs)


@given(PAIRS)
def test_names_and_order_do_not_matter(pairs: list[tuple[int, int]]) -> None:
    clusters, classes = map(np.array, zip(*pairs, strict=True))
    order = np.random.default_rng(0).permutation(len(pairs))
    first, again = agreement(clusters, classes), agreement(9 - clusters[order], classes[order].astype(str))
    assert again.adjusted_rand == pytest.approx(first.adjusted_rand)
    assert again.mutual_information == pytest.approx(first.mutual_information)
    assert again.purity == pytest.approx(first.purity)


def test_random_clusters_agree_as_chance_has_it() -> None:
    random = np.random.default_rng(0)
    found = agreement(random.integers(5, size=5000), random.integers(5, size=5000))
    assert abs(found.adjusted_rand) < 0.01
    assert found.mutual_information < 0.01


def test_nothing_and_what_does_not_fit() -> None:
    assert agreement([], []).count == 0
    with pytest.raises(InputError, match="a class for every item of a cluster, but got 1 of 2"):
        agreement([0, 1], [0])
