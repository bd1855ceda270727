"""Edges of a tree, their splits, and the pairs that are none."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cladewise.embeddings import NegativeSampler, basic_edges, closure_edges, split_edges
from cladewise.embeddings.negatives import Strategy
from cladewise.errors import InputError
from cladewise.taxonomy import Taxonomy
from strategies import taxonomies

Pairs = set[tuple[int, int]]


def closure_of(taxonomy: Taxonomy) -> Pairs:
    return {(u, v) for v in range(1, taxonomy.num_nodes) for u in taxonomy.path(v)[1:-1]}


def pairs_of(general: Any, special: Any) -> list[tuple[int, int]]:
    return list(zip(general.reshape(-1).tolist(), special.reshape(-1).tolist(), strict=True))


@given(taxonomies())
def test_closure_holds_every_pair_below_the_root_once(taxonomy: Taxonomy) -> None:
    edges, basic = closure_edges(taxonomy), basic_edges(taxonomy)
    found = pairs_of(edges.general, edges.special)
    assert len(found) == len(set(found))
    assert set(found) == closure_of(taxonomy)
    assert found[: len(basic)] == pairs_of(basic.general, basic.special)
    assert all(taxonomy.parents[v] == u for u, v in found[: len(basic)])


@given(taxonomies(min_nodes=3), st.sampled_from([0.0, 0.1, 0.25, 0.5, 1.0]), st.integers(0, 9))
def test_splits(taxonomy: Taxonomy, closure: float, seed: int) -> None:
    basic, whole = basic_edges(taxonomy), closure_of(taxonomy)
    if not len(basic):
        with pytest.raises(InputError, match="Expected a taxonomy with an edge between two labels"):
            split_edges(taxonomy, closure=closure, seed=seed)
        return
    splits = split_edges(taxonomy, closure=closure, seed=seed)
    train, val, test = (pairs_of(part.general, part.special) for part in (splits.train, splits.val, splits.test))
    assert set(pairs_of(basic.general, basic.special)) <= set(train)
    assert len(train) + len(val) + len(test) == len({*train, *val, *test})
    assert {*train, *val, *test} <= whole
    others = len(whole) - len(basic)
    held = max(1, round(0.05 * others)) if others > 1 else 0
    assert len(val) == len(test) == held
    assert len(train) == len(basic) + round(closure * (others - 2 * held))
    again = split_edges(taxonomy, closure=closure, seed=seed)
    assert pairs_of(again.train.general, again.train.special) == train


def test_shares_of_a_large_tree() -> None:
    splits = split_edges(Taxonomy.from_paths(itertools.product("abcdef", "abcd", "abcde", "abcde")), closure=0.25)
    num_basic, others = 24 + 120 + 600, 120 + 2 * 600
    assert len(splits.val) == len(splits.test) == others * 0.05
    assert len(splits.train) == num_basic + others * 0.9 / 4


def test_a_share_out_of_range() -> None:
    with pytest.raises(InputError, match=r"Expected a share of the closure from 0 to 1, but got 1\.5"):
        split_edges(Taxonomy.from_paths([("a", "b")]), closure=1.5)


@pytest.mark.parametrize("strategy", ["uniform", "pick-per-level"])
@given(taxonomies(min_nodes=3), st.integers(0, 99))
def test_negatives_are_no_edges_and_no_loops(strategy: Any, taxonomy: Taxonomy, seed: int) -> None:
    edges = closure_edges(taxonomy)
    if not len(edges):
        return
    general, special = torch.tensor(edges.general), torch.tensor(edges.special)
    found = NegativeSampler(taxonomy, strategy)(general, special, 4, torch.Generator().manual_seed(seed))
    assert found.general.shape == found.special.shape == found.valid.shape == (len(edges), 8)
    labels, whole = set(range(1, taxonomy.num_nodes)), closure_of(taxonomy)
    for place, (u, v) in enumerate(pairs_of(general, special)):
        some_parent = bool(labels - {x for x in labels if (x, v) in whole or x == v})
        some_child = bool(labels - {x for x in labels if (u, x) in whole or x == u})
        assert found.valid[place].tolist() == [some_parent] * 4 + [some_child] * 4
        assert found.special[place, :4].tolist() == [v] * 4
        assert found.general[place, 4:].tolist() == [u] * 4
    valid = pairs_of(found.general[found.valid], found.special[found.valid])
    assert not whole & set(valid)
    assert all(x != y and {x, y} <= labels for x, y in valid)


TREE = Taxonomy.from_paths([("a", "b", "c"), ("a", "b", "d"), ("a", "e"), ("f", "g", "h"), ("i",)])
# a 1, b 2, c 3, d 4, e 5, f 6, g 7, h 8, i 9


def drawn_shares(taxonomy: Taxonomy, strategy: Any, edge: tuple[int, int], side: int) -> dict[int, float]:
    """Shares of the labels that replace one end of an edge."""
    times = 30_000
    general, special = (torch.tensor([end]) for end in edge)
    found = NegativeSampler(taxonomy, strategy)(general, special, times, torch.Generator().manual_seed(0))
    drawn = (found.general[0, :times], found.special[0, times:])[side]
    counts = torch.bincount(drawn, minlength=taxonomy.num_nodes) / times
    return {node: share for node, share in enumerate(counts.tolist()) if share}


@pytest.mark.parametrize(("side", "wanted"), [(0, {4, 5, 6, 7, 8, 9}), (1, {1, 5, 6, 7, 8, 9})])
def test_uniform_negatives_are_uniform(side: int, wanted: set[int]) -> None:
    shares = drawn_shares(TREE, "uniform", (2, 3), side)
    assert set(shares) == wanted
    assert all(share == pytest.approx(1 / len(wanted), abs=0.01) for share in shares.values())


@pytest.mark.parametrize(("side", "levels"), [(0, [{6, 9}, {5, 7}, {4, 8}]), (1, [{1, 6, 9}, {5, 7}, {8}])])
def test_picks_come_from_all_levels_alike(side: int, levels: list[set[int]]) -> None:
    shares = drawn_shares(TREE, "pick-per-level", (2, 3), side)
    wanted = {node: 1 / 3 / len(level) for level in levels for node in level}
    assert shares == {node: pytest.approx(share, abs=0.01) for node, share in wanted.items()}


def test_levels_take_turns_from_edge_to_edge() -> None:
    chains = Taxonomy.from_paths([[f"{name}{depth}" for depth in range(7)] for name in "abc"])
    edges = basic_edges(chains)
    general, special = torch.tensor(edges.general), torch.tensor(edges.special)
    found = NegativeSampler(chains)(general, special, 5, torch.Generator().manual_seed(0), first=3)
    level = chains.level[found.general[:, :5].numpy()] - 1
    turn = (3 * 5 + np.arange(level.size).reshape(level.shape)) % 7
    assert (level == turn).all()


def test_a_level_without_another_label_falls_back_on_all() -> None:
    assert set(drawn_shares(Taxonomy.from_paths([("a", "b"), ("a", "c")]), "pick-per-level", (1, 2), 0)) == {3}


def test_a_strategy_that_is_none() -> None:
    with pytest.raises(InputError, match="Expected negatives among pick-per-level, uniform, but got 'hard'"):
        NegativeSampler(TREE, "hard")  # type: ignore[arg-type]


@pytest.mark.parametrize("strategy", ["uniform", "pick-per-level"])
def test_pairs_are_of_labels_even_where_nothing_will_do(strategy: Strategy) -> None:
    """A label above all others holds everything: no child of it is false."""
    taxonomy = Taxonomy.from_paths([("top", "a", "b")])
    general, special = torch.tensor([1, 1, 2]), torch.tensor([2, 3, 3])
    pairs = NegativeSampler(taxonomy, strategy)(general, special, 4, torch.Generator().manual_seed(0))
    for nodes in (pairs.general, pairs.special):
        assert ((nodes >= 1) & (nodes < taxonomy.num_nodes)).all()
    assert not pairs.valid[:2, 4:].any()
