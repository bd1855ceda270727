"""Clusters of classes: laws of merges, cuts and names, against slow twins."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import squareform

from cladewise import InputError
from cladewise.induction.cutting import cut, default_levels
from cladewise.induction.group_names import CommonWords
from cladewise.induction.merges import Merges, check_size, clustered
from cladewise.induction.similarity import class_means, confusion_distances, confusion_matrix, vector_distances
from cladewise.induction.stability import best_jaccard, repeats_for, stability
from reference.induction_twin import average_linkage, confusion_distance

DISTINCT = st.integers(1, 24).flatmap(
    lambda size: st.permutations(list(range(1, size * (size - 1) // 2 + 1))).map(lambda order: (size, order))
)
"""A number of classes, and the squares of distances of all pairs, whose means all differ as well."""


def merges_of(case: tuple[int, list[int]]) -> Merges:
    size, order = case
    return clustered(np.sqrt(order), size)


@given(DISTINCT)
def test_every_class_is_one_leaf_and_heights_grow(case: tuple[int, list[int]]) -> None:
    merges = merges_of(case)
    assert sorted(merges.class_of[merges.class_of >= 0].tolist()) == list(range(case[0]))
    assert (merges.height[1:] <= merges.height[merges.parents[1:]]).all()
    assert merges.members(np.array([0]))[0].tolist() == list(range(case[0]))


@given(st.integers(2, 9), st.integers(0, 9999))
def test_average_linkage_is_that_of_the_slow_twin(size: int, seed: int) -> None:
    distances = np.random.default_rng(seed).random(size * (size - 1) // 2)
    pairs = dict(zip(itertools.combinations(range(size), 2), distances.tolist(), strict=True))
    merges = clustered(distances, size)
    groups = np.flatnonzero(merges.class_of < 0)
    found = {frozenset(m.tolist()): merges.height[g] for g, m in zip(groups, merges.members(groups), strict=True)}
    twin = dict(average_linkage(pairs, size))
    assert found.keys() == twin.keys()
    for members, height in twin.items():
        assert found[members] == pytest.approx(height)


@given(DISTINCT, st.integers(0, 9999))
def test_the_order_of_classes_does_not_matter(case: tuple[int, list[int]], seed: int) -> None:
    size, order = case
    shuffle = np.random.default_rng(seed).permutation(size)
    matrix = squareform(np.sqrt(order)) if size > 1 else np.zeros((1, 1))
    one = clustered(squareform(matrix, checks=False), size)
    two = clustered(squareform(matrix[np.ix_(shuffle, shuffle)], checks=False), size)

    def groups(merges: Merges, name: np.ndarray) -> set[frozenset[int]]:
        return {frozenset(name[m].tolist()) for m in merges.members(np.arange(merges.parents.size))}

    assert groups(one, np.arange(size)) == groups(two, shuffle)


@given(DISTINCT, st.data())
def test_a_cut_has_the_groups_and_levels_asked_for(case: tuple[int, list[int]], data: st.DataObject) -> None:
    merges = merges_of(case)
    size = case[0]
    if size < 4:
        with pytest.raises(InputError, match="ascending numbers of groups"):
            cut(merges, groups=[size])
        return
    wanted = sorted(data.draw(st.sets(st.integers(2, size - 1), min_size=1, max_size=3)))
    found = cut(merges, groups=wanted)
    assert list(found.num_groups) == wanted
    assert found.num_levels == len(wanted) + 1
    for level, number in enumerate(wanted, start=1):
        at = [_representative(merges, found.level, leaf, level) for leaf in np.flatnonzero(merges.class_of >= 0)]
        assert len(set(at)) == number
    levels = data.draw(st.integers(1, 6))
    by_levels = cut(merges, levels=levels)
    assert by_levels.num_levels <= levels
    assert set(by_levels.level.tolist()) <= set(range(by_levels.num_levels + 1))


def _representative(merges: Merges, level: np.ndarray, node: int, at: int) -> int:
    """The deepest node at or above one that is kept and not finer than a level."""
    while node > 0 and not 0 < level[node] <= at:
        node = int(merges.parents[node])
    return int(node)


def test_equal_distances_are_one_cut() -> None:
    merges = clustered(np.ones(15), 6)
    assert cut(merges, levels=3).nodes.tolist() == []
    assert cut(merges, groups=[3]).num_groups == ()


def test_numbers_that_cannot_be_are_refused() -> None:
    merges = clustered(np.arange(1.0, 11.0), 5)
    for wrong in ([1], [5], [3, 2], [2, 2], []):
        with pytest.raises(InputError, match="ascending numbers of groups, from 2 to 4 for 5 classes"):
            cut(merges, groups=wrong)
    with pytest.raises(InputError, match="at least one level"):
        cut(merges, levels=0)
    with pytest.raises(InputError, match="but got both"):
        cut(merges, levels=2, groups=[2])
    with pytest.raises(InputError, match="a linkage: average, complete"):
        clustered(np.ones(3), 3, "ward")  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"at most 10,000 classes to cluster, but got 20,000.*Take wordnet or a tree"):
        check_size(20_000)


def test_the_default_has_about_five_children_per_node() -> None:
    assert [default_levels(n) for n in (1, 3, 4, 25, 125, 625, 3125)] == [1, 1, 2, 2, 3, 4, 5]


@given(st.integers(2, 6), st.integers(0, 12), st.integers(0, 9999))
def test_distances_by_confusions_are_those_of_the_slow_twin(size: int, images: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    probabilities = random.dirichlet(np.ones(size), images).reshape(images, size)
    classes = random.integers(size, size=images)
    matrix, counts = confusion_matrix(probabilities, classes)
    assert counts.tolist() == [int((classes == k).sum()) for k in range(size)]
    found = confusion_distances(matrix, counts)
    for distance, (a, b) in zip(found.tolist(), itertools.combinations(range(size), 2), strict=True):
        assert distance == pytest.approx(confusion_distance(probabilities.tolist(), classes.tolist(), a, b))


@given(st.integers(2, 7), st.integers(1, 4), st.integers(0, 9999))
def test_distances_of_vectors_are_cosines_around_their_mean(size: int, dim: int, seed: int) -> None:
    vectors = np.random.default_rng(seed).normal(size=(size, dim))
    centred = vectors - vectors.mean(0)
    for distance, (a, b) in zip(vector_distances(vectors), itertools.combinations(range(size), 2), strict=True):
        cosine = centred[a] @ centred[b] / np.linalg.norm(centred[a]) / np.linalg.norm(centred[b])
        assert distance == pytest.approx(1 - cosine, abs=1e-9)


def test_a_vector_without_direction_is_as_far_from_all() -> None:
    assert vector_distances(np.ones((3, 2))).tolist() == [1.0, 1.0, 1.0]
    assert vector_distances(np.array([[1.0], [-1.0], [0.0]])).tolist() == [2.0, 1.0, 1.0]
    with pytest.raises(InputError, match="finite numbers"):
        vector_distances(np.array([[1.0], [np.nan]]))


def test_means_do_not_depend_on_the_order_of_images() -> None:
    random = np.random.default_rng(0)
    rows, classes = random.normal(size=(50, 3)), random.integers(4, size=50)
    means, counts = class_means(rows, classes, 6)
    for k in range(4):
        assert means[k] == pytest.approx(rows[classes == k].mean(0))
    assert counts[4:].tolist() == [0, 0]
    assert (means[4:] == 0).all()


@given(DISTINCT, st.integers(0, 9999))
def test_the_best_jaccard_is_that_of_sets(case: tuple[int, list[int]], seed: int) -> None:
    merges, random = merges_of(case), np.random.default_rng(seed)
    groups = [np.flatnonzero(random.random(case[0]) < 0.5) for _ in range(3)]
    groups = [group for group in groups if group.size]
    nodes = [set(m.tolist()) for m in merges.members(np.arange(merges.parents.size))]
    twin = [max(len(set(g.tolist()) & n) / len(set(g.tolist()) | n) for n in nodes) for g in groups]
    assert best_jaccard(groups, merges).tolist() == pytest.approx(twin)


def test_groups_that_data_support_are_stable_and_others_are_not() -> None:
    centres = np.array([[9.0, 0], [9, 1], [-9, 0], [-9, 1]])

    def resample(random: np.random.Generator) -> np.ndarray:
        return vector_distances(centres + random.normal(0, 0.5, centres.shape))

    found = stability([np.array([0, 1]), np.array([1, 2])], resample, 4, linkage="average", repeats=20, seed=0)
    assert found[0] == 1.0
    assert found[1] < 0.6
    assert np.isnan(stability([np.array([0])], resample, 4, linkage="average", repeats=0, seed=0)).all()
    assert [repeats_for(n) for n in (1000, 3000, 3001)] == [50, 10, 0]


def test_names_are_words_that_members_share_and_others_lack() -> None:
    names = ["Bravo-Apple-Juice", "Tropicana-Apple-Juice", "Orange juice", "Apple", "Arla-Milk", "Oat milk"]
    words = CommonWords(names)
    assert words.name(np.array([0, 1])) == ("Apple Juice", "2 of 2 members have the words, and no other class")
    assert words.name(np.array([0, 1, 2])) == ("Juice", "3 of 3 members have the words, and no other class")
    assert words.name(np.array([0, 1]), ["apple-juice", "Juice", "Apple"]) is None
    assert words.name(np.array([3, 4])) is None
    assert words.listed(np.array([4, 5, 3])) == "Apple, Arla-Milk, …"
