"""Episodes follow from their number, and hold what the protocol says."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cladewise import InputError, Taxonomy
from cladewise.datasets.relabelling import coarser_nodes
from cladewise.episodes import Episode, Pool, draw_episode, make_pool
from cladewise.episodes.episode import check_ways

TREE = Taxonomy.from_paths(
    [("bird", name) for name in "abcdefg"] + [("moth", "hawk"), ("moth", "emperor"), ("fish", "eel"), ("fern",)]
)
IMAGES_EACH = 20


def pool_of(*, shots: int = 1, places: int = 0, each: int = IMAGES_EACH, level: str = "") -> tuple[Pool, np.ndarray]:
    nodes = np.repeat(TREE.leaf_nodes, each)
    nodes = np.concatenate([nodes, np.full(30, TREE.find("bird"))])  # no fine class
    where = np.arange(nodes.size) % places if places else None
    return make_pool(TREE, nodes, coarse=coarser_nodes(TREE, level), shots=shots, places=where), nodes


def the_same(first: Episode, second: Episode) -> bool:
    return all(
        np.array_equal(getattr(first, name), getattr(second, name))
        for name in ("classes", "support", "query", "answer")
    )


@given(st.sampled_from(["2", "5", "all", "intra"]), st.integers(1, 5), st.integers(1, 20), st.integers(0, 50))
def test_an_episode_holds_what_it_says(ways: str, shots: int, queries: int, number: int) -> None:
    pool, nodes = pool_of(shots=shots)
    episode = draw_episode(pool, ways, shots=shots, queries=queries, seed=3, number=number)
    assert the_same(episode, draw_episode(pool, ways, shots=shots, queries=queries, seed=3, number=number))
    assert episode.support.shape == (episode.classes.size, shots)
    assert (nodes[episode.support] == episode.classes[:, None]).all()
    assert (nodes[episode.query] == episode.classes[episode.answer]).all()
    images = np.concatenate([episode.support.ravel(), episode.query])
    assert np.unique(images).size == images.size
    assert (np.bincount(episode.answer) == min(queries, IMAGES_EACH - shots)).all()
    assert np.unique(episode.classes).size == episode.classes.size


def test_the_number_of_classes() -> None:
    pool, _ = pool_of()
    sizes = {
        ways: {draw_episode(pool, ways, shots=1, queries=1, seed=0, number=n).classes.size for n in range(40)}
        for ways in ("5", "all", "intra")
    }
    assert sizes == {"5": {5}, "all": {11}, "intra": {2, 5}}


def test_classes_inside_one_coarse_class() -> None:
    pool, _ = pool_of()
    families = {
        tuple(sorted(set(TREE.parents[draw_episode(pool, "intra", shots=1, queries=1, seed=0, number=n).classes])))
        for n in range(40)
    }
    assert families == {(TREE.find("bird"),), (TREE.find("moth"),)}  # neither the only child nor those below the root
    assert len(pool.families) == 2
    assert [len(pool_of(level=level)[0].families) for level in ("1", "2")] == [2, 0]


def test_every_class_takes_its_turn() -> None:
    pool, _ = pool_of()
    drawn = np.concatenate([draw_episode(pool, "5", shots=1, queries=1, seed=1, number=n).classes for n in range(600)])
    counts = np.bincount(drawn, minlength=TREE.num_nodes)[TREE.leaf_nodes]
    assert abs(counts / 600 - 5 / 11).max() < 0.08
    other = draw_episode(pool, "5", shots=1, queries=1, seed=2, number=0)
    assert not the_same(other, draw_episode(pool, "5", shots=1, queries=1, seed=1, number=0))


@given(st.integers(1, 6), st.integers(2, 6), st.integers(0, 20))
def test_support_and_queries_are_from_different_places(shots: int, places: int, number: int) -> None:
    pool, _ = pool_of(shots=shots, places=places)
    where = np.arange(IMAGES_EACH * 11) % places
    episode = draw_episode(pool, "5", shots=shots, queries=15, seed=0, number=number)
    for position in range(5):
        learnt, asked = where[episode.support[position]], where[episode.query[episode.answer == position]]
        assert asked.size > 0
        assert not np.intersect1d(learnt, asked).size


def test_places_of_unequal_size() -> None:
    nodes, places = np.full(6, TREE.find("hawk")), np.array([0, 0, 0, 0, 0, 1])
    nodes = np.concatenate([nodes, np.full(6, TREE.find("eel"))])
    coarse = coarser_nodes(TREE, "")
    pool = make_pool(TREE, nodes, coarse=coarse, shots=5, places=np.concatenate([places, places]))
    for number in range(20):
        episode = draw_episode(pool, "2", shots=5, queries=15, seed=0, number=number)
        assert episode.query.size == 2
    none = make_pool(TREE, nodes, coarse=coarse, shots=1, places=np.zeros(12, dtype=np.int64))
    assert none.left_out.size == 2


def test_classes_with_too_few_images_take_no_part() -> None:
    nodes = np.repeat(TREE.leaf_nodes, 3)
    nodes = np.concatenate([nodes, [TREE.find("eel")]])
    pool = make_pool(TREE, nodes, coarse=coarser_nodes(TREE, ""), shots=3)
    assert pool.classes.tolist() == [TREE.find("eel")]
    assert pool.left_out.size == 10
    with pytest.raises(InputError, match=r"Expected 5 fine classes with enough images of each, but got 1\."):
        draw_episode(pool, "5", shots=3, queries=1, seed=0, number=0)
    with pytest.raises(InputError, match="Expected a coarse class with several fine classes"):
        draw_episode(pool, "intra", shots=3, queries=1, seed=0, number=0)
    with pytest.raises(InputError, match="Expected 2 fine classes"):
        draw_episode(pool, "all", shots=3, queries=1, seed=0, number=0)


@pytest.mark.parametrize("ways", ["1", "0", "five", "-3", "2.5", ""])
def test_ways_that_are_none(ways: str) -> None:
    with pytest.raises(InputError, match="Expected ways as a number from 2, all or intra, but got"):
        check_ways(ways)
