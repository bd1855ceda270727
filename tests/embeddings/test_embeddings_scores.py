"""Thresholds, hypernym prediction and reconstruction, against all thresholds tried one by one."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cladewise import InputError, embeddings
from cladewise.embeddings import BestThreshold, EdgeScores, HypernymTask, max_margin_loss, scores_at, split_edges
from cladewise.embeddings.graph_reconstruction import Edges
from cladewise.taxonomy import Taxonomy
from strategies import taxonomies

ENERGIES = st.lists(st.sampled_from([0.0, 0.1, 0.2, 0.5, 1.0, 1.1, 2.0]), min_size=1, max_size=12)


def best_by_trying(edges: list[float], others: list[float]) -> tuple[float, float]:
    """F1 and the lowest threshold that has it."""
    best = (-1.0, 0.0)
    for threshold in sorted({*edges, *others}):
        right, wrong = sum(e <= threshold for e in edges), sum(e <= threshold for e in others)
        best = max(best, (2 * right / (right + wrong + len(edges)), -threshold))
    return best[0], -best[1]


@given(ENERGIES, ENERGIES | st.just([]), st.integers(1, 4))
def test_best_threshold(edges: list[float], others: list[float], parts: int) -> None:
    all_edges, all_others = (torch.tensor(part, dtype=torch.float64) for part in (edges, others))
    best = BestThreshold(all_edges)
    for part in all_others.tensor_split(parts):
        best.add(part)
    found = best.scores()
    f1, threshold = best_by_trying(edges, others)
    assert (found.f1, found.threshold) == (pytest.approx(f1), threshold)
    assert scores_at(threshold, all_edges, all_others) == found
    right = sum(e <= threshold for e in edges) + sum(e > threshold for e in others)
    assert found.accuracy == pytest.approx(right / (len(edges) + len(others)))


def test_scores_of_nothing() -> None:
    nothing = BestThreshold(torch.zeros(0)).scores()
    assert nothing == EdgeScores(0.0, 0, 0, 0, 0)
    assert (nothing.f1, nothing.precision, nothing.recall, nothing.tnr, nothing.accuracy) == (0, 0, 0, 0, 0)


@settings(max_examples=12)
@given(taxonomies(min_nodes=2), st.integers(0, 9))
def test_reconstruction_is_that_of_all_pairs(taxonomy: Taxonomy, seed: int) -> None:
    for name in ("order", "euclidean", "hyperbolic"):
        reconstruction_is_that_of_all_pairs(name, taxonomy, seed)


def reconstruction_is_that_of_all_pairs(name: str, taxonomy: Taxonomy, seed: int) -> None:
    geometry, labels = embeddings.make(name), range(1, taxonomy.num_nodes)
    vectors = geometry.start(taxonomy.num_nodes - 1, 2, torch.Generator().manual_seed(seed)).double()
    energy = geometry.energy(vectors[:, None], vectors).tolist()
    kinds: dict[Edges, Callable[[int, int], bool]] = {
        "closure": taxonomy.contains,
        "direct": lambda u, v: bool(taxonomy.parents[v] == u),
    }
    for kind, is_edge in kinds.items():
        edges: list[float] = []
        others: list[float] = []
        for u, v in itertools.product(labels, labels):
            if u != v:
                (edges if is_edge(u, v) else others).append(energy[u - 1][v - 1])
        for block in (1 << 22, 50):
            found = embeddings.reconstruction(taxonomy, geometry, vectors, edges=kind, block=block)
            assert (found.num_edges, found.num_others) == (len(edges), len(others)), (name, kind, block)
            if edges:
                assert found.f1 == pytest.approx(best_by_trying(edges, others)[0]), (name, kind, block)


def perfect() -> tuple[Taxonomy, torch.Tensor]:
    """Every label is the indicator of its path: an order embedding without a flaw."""
    taxonomy = Taxonomy.from_paths(itertools.product("abc", "def", "gh", "ij"))
    nodes, end = torch.arange(taxonomy.num_nodes), torch.tensor(taxonomy.end.copy())
    return taxonomy, ((nodes[None] <= nodes[:, None]) & (nodes[:, None] < end[None]))[1:, 1:].float()


def test_hypernym_prediction_of_a_perfect_order() -> None:
    taxonomy, vectors = perfect()
    task, order = HypernymTask(taxonomy, split_edges(taxonomy)), embeddings.make("order")
    found = task.scores(order, vectors)
    for scores in (found.val, found.test):
        assert (scores.f1, scores.threshold, scores.num_others) == (1.0, 0.0, 10 * scores.num_edges)
    assert embeddings.reconstruction(taxonomy, order, vectors).f1 == 1.0
    direct = embeddings.reconstruction(taxonomy, order, vectors, edges="direct")
    right, closure = 3 * 3 + 9 * 2 + 18 * 2, 3 * (3 + 6 + 12) + 9 * (2 + 4) + 18 * 2
    assert (direct.recall, direct.f1) == (1.0, 2 * right / (right + closure))  # nested regions hold distant ones too
    with pytest.raises(InputError, match="Expected edges among closure, direct, but got 'all'"):
        embeddings.reconstruction(taxonomy, order, vectors, edges="all")  # type: ignore[arg-type]
    torch.manual_seed(0)
    shuffled = task.scores(order, vectors[torch.randperm(len(vectors))])
    assert shuffled.test.f1 < 0.9
    assert shuffled.test.threshold == shuffled.val.threshold


def test_a_tree_without_non_basic_edges_has_nothing_to_predict() -> None:
    taxonomy = Taxonomy.from_paths([("a", "b"), ("c", "d")])
    assert not HypernymTask(taxonomy, split_edges(taxonomy)).has_edges


def test_loss() -> None:
    edges, others = torch.tensor([0.5, 0.0]), torch.tensor([0.2, 0.9, 1.5])
    assert max_margin_loss(edges, others, margin=1.0).item() == pytest.approx(0.5 + 0.8 + 0.1)
    valid = torch.tensor([True, False, True])
    assert max_margin_loss(edges, others, margin=1.0, valid=valid).item() == pytest.approx(0.5 + 0.8)
