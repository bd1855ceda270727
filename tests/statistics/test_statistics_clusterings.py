"""Agreement of clusters with classes, against pairs and counts taken one by one."""

from __future__ import annotations

import itertools
import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cladewise import InputError
from cladewise.statistics import agreement

PAIRS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=40)


def rand_index(pairs: list[tuple[int, int]]) -> float:
    """The adjusted index, by looking at every pair of items."""
    both = first = second = every = 0
    for (a, x), (b, y) in itertools.combinations(pairs, 2):
        both, first, second, every = both + (a == b and x == y), first + (a == b), second + (x == y), every + 1
    chance = first * second / every if every else 0.0
    most = (first + second) / 2
    return (both - chance) / (most - chance) if most != chance else 1.0


def entropy(items: list[object]) -> float:
    return -sum(n / len(items) * math.log(n / len(items)) for n in Counter(items).values())


@settings(max_examples=40)
@given(PAIRS)
def test_it_is_that_of_pairs_and_counts(pairs: list[tuple[int, int]]) -> None:
    clusters, classes = map(list, zip(*pairs, strict=True))
    found = agreement(clusters, classes)
    assert found.adjusted_rand == pytest.approx(rand_index(pairs), abs=1e-12)
    mean = (entropy(clusters) + entropy(classes)) / 2
    shared = entropy(clusters) + entropy(classes) - entropy(list(pairs))
    assert found.mutual_information == pytest.approx(shared / mean if mean else 1.0, abs=1e-12)
    best = sum(max(Counter(y for x, y in pairs if x == cluster).values()) for cluster in set(clusters))
    assert found.purity == pytest.approx(best / len(pairs))
    assert found.count == len(pairs)


@settings(max_examples=15)
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
