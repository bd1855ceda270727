"""Lists of a few nodes per image: both bounds against a slow twin, and what rules ask of a list."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cladewise import InputError, Taxonomy
from cladewise.decisions import (
    HedgedExpectation,
    HedgedMajority,
    Hedging,
    Leaf,
    LeafOrRoot,
    Majority,
    Nodes,
    OperatingPoint,
    Threshold,
)
from cladewise.decisions.guarantee import Guaranteed
from cladewise.inference import Subset
from cladewise.inference.weighing import weighed
from cladewise.predictions import Coherence, LeafWeights, ListedNodes, Prediction, pooled
from cladewise.predictions.prediction import best_nodes
from strategies import taxonomies

TREE = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d", "e")])
A, B, C, D, E = 1, 2, 3, 4, 5
GUARANTEED = (Hedging, HedgedMajority, HedgedExpectation, LeafOrRoot)


def listed(rows: list[dict[int, float]], tree: Taxonomy = TREE, *, at_inner_nodes: bool = False) -> ListedNodes:
    k = max(map(len, rows))
    nodes = torch.full((len(rows), k), -1)
    mass = torch.zeros(len(rows), k, dtype=torch.float64)
    for row, masses in enumerate(rows):
        nodes[row, : len(masses)] = torch.tensor(list(masses), dtype=torch.int64)
        mass[row, : len(masses)] = torch.tensor(list(masses.values()), dtype=torch.float64)
    return ListedNodes(tree, nodes, mass.log(), at_inner_nodes)


@st.composite
def lists(draw: st.DrawFn) -> tuple[Taxonomy, list[dict[int, float]], bool]:
    """A tree, and for each image the masses of some nodes, which together are at most 1."""
    tree, inner = draw(taxonomies(max_nodes=14)), draw(st.booleans())
    pool = range(tree.num_nodes) if inner else tree.leaf_nodes.tolist()
    rows: list[dict[int, float]] = []
    for _ in range(draw(st.integers(1, 4))):
        chosen = draw(st.lists(st.sampled_from(list(pool)), unique=True, max_size=6))
        shares = draw(st.lists(st.floats(0.01, 1), min_size=len(chosen), max_size=len(chosen)))
        total = sum(shares) * draw(st.sampled_from([1.0, 1.0, 1.5, 4.0]))
        rows.append({node: share / total for node, share in zip(chosen, shares, strict=True)})
    return tree, rows, inner


def possible(tree: Taxonomy, inner: bool) -> list[int]:
    return [v for v in range(tree.num_nodes) if inner or tree.is_leaf[v]]


@given(lists())
def test_bounds_are_those_of_every_way_to_place_the_rest(drawn: tuple[Taxonomy, list[dict[int, float]], bool]) -> None:
    tree, rows, inner = drawn
    prediction = listed(rows, tree, at_inner_nodes=inner)
    for row, masses in enumerate(rows):
        rest = 1 - sum(masses.values())
        for v in range(1, tree.num_nodes):
            under = [u for u in range(v, tree.num_nodes) if tree.contains(v, u)]
            low = sum(masses.get(u, 0.0) for u in under)
            unlisted = [u for u in under if u in possible(tree, inner) and u not in masses]
            assert prediction.log_prob[row, v].exp().item() == pytest.approx(low, abs=1e-9)
            expected = low + rest if unlisted else low
            assert prediction.upper_log_prob[row, v].exp().item() == pytest.approx(expected, abs=1e-9)
        assert prediction.log_prob[row, 0] == prediction.upper_log_prob[row, 0] == 0
        own = prediction.own_log_prob[row].exp()
        assert own.sum().item() == pytest.approx(1, abs=1e-9)
        assert own[0].item() == pytest.approx(rest + masses.get(0, 0.0), abs=1e-9)


@given(lists())
def test_spread_scores_are_a_distribution_within_the_bounds(
    drawn: tuple[Taxonomy, list[dict[int, float]], bool],
) -> None:
    tree, rows, inner = drawn
    prediction = listed(rows, tree, at_inner_nodes=inner)
    leaves = prediction.leaf_scores().exp()
    torch.testing.assert_close(leaves.sum(-1), torch.ones(len(rows), dtype=torch.float64))
    assert (prediction.scores.exp() >= prediction.log_prob.exp() - 1e-9).all()
    assert prediction.scores.isfinite().all()


def test_mass_that_is_listed_at_the_root_is_nowhere_else() -> None:
    prediction = listed([{0: 0.6, B: 0.3}])
    assert prediction.upper_log_prob[0, A].exp().item() == pytest.approx(0.4)
    assert prediction.own_log_prob[0, 0].exp().item() == pytest.approx(0.7)


def test_rules_answer_by_the_lower_bound() -> None:
    prediction = listed([{B: 0.5, C: 0.4}, {B: 0.3, E: 0.3}, {}])
    assert prediction.coherence is Coherence.SUPERADDITIVE
    assert Threshold(0.8)(prediction).node.tolist() == [A, 0, 0]
    assert Majority()(prediction).node.tolist() == [A, 0, 0]
    assert prediction.ranking(2).tolist() == [[B, C], [B, E], [A, B]]


def test_masses_beyond_one_by_rounding_are_scaled() -> None:
    p = listed([{B: 0.667, C: 0.334}]).log_prob[0].exp()
    assert p[A].item() == pytest.approx(1)
    assert p[B].item() == pytest.approx(0.667 / 1.001)


def test_nodes_ruled_out_leave_the_rest_at_the_root() -> None:
    leaves = [leaf for leaf in TREE.leaf_nodes.tolist() if leaf != B]
    rule = Subset(leaves)
    kept = rule(listed([{B: 0.5, C: 0.25}]))
    assert isinstance(kept, ListedNodes)
    assert kept.log_prob[0].exp().tolist() == pytest.approx([1, 0.5, 0, 0.5, 0, 0])
    assert kept.elsewhere.exp().item() == pytest.approx(0.5)
    with pytest.raises(InputError, match="allowed leaf"):
        rule(listed([{B: 1.0}]))


@given(taxonomies(max_nodes=12, min_nodes=2), st.integers(0, 2**31))
def test_bounds_hold_after_weighting_and_pooling(taxonomy: Taxonomy, seed: int) -> None:
    rng, size = np.random.default_rng(seed), taxonomy.num_nodes
    own = rng.dirichlet(np.ones(size), size=2)  # of classes at all nodes, of which some are listed
    is_listed = rng.random((2, size)) < 0.5
    is_listed[:, 0] = False
    rows = [{int(v): float(own[row, v]) for v in np.flatnonzero(is_listed[row])} for row in range(2)]
    prediction = listed(rows, taxonomy, at_inner_nodes=True)

    def between(found: Prediction, true: np.ndarray) -> None:
        for row, masses in enumerate(true):
            for node in taxonomy:
                value = masses[taxonomy.contains(node, np.arange(size))].sum()
                assert found.log_prob[row, node].exp() <= value + 1e-9
                assert found.upper_log_prob[row, node].exp() >= value - 1e-9

    between(pooled(prediction, torch.zeros(2, dtype=torch.int64), 1, "mean"), own.mean(0, keepdims=True))
    weights = rng.choice([0.0, 0.2, 1.0, 30.0], size=(2, taxonomy.num_leaves))
    weights[:, rng.integers(taxonomy.num_leaves)] = 2.0
    by_node = np.zeros((2, size))  # of an inner class, any between those of the leaves that it may stand for
    for row in range(2):
        for node in taxonomy:
            below = weights[row, taxonomy.leaf_start[node] : taxonomy.leaf_end[node]]
            if below.any():
                by_node[row, node] = rng.uniform(below[below > 0].min(), below.max())
    with np.errstate(divide="ignore"):
        by_image = LeafWeights(taxonomy, torch.from_numpy(weights).log())
    true = own * by_node
    between(weighed(prediction, by_image), true / true.sum(1, keepdims=True))


def test_lists_keep_their_nodes_when_precision_and_batch_change() -> None:
    prediction = listed([{B: 0.5, C: 0.4}, {E: 0.3}])
    half = prediction.to(torch.float16)
    assert half.nodes.dtype == torch.int64
    torch.testing.assert_close(half.log_prob, prediction.log_prob.float(), atol=1e-3, rtol=1e-3)
    assert prediction[1].log_prob.equal(prediction.log_prob[1])
    assert prediction[:0].log_prob.shape == (0, TREE.num_nodes)
    none = ListedNodes(TREE, torch.zeros(2, 0, dtype=torch.int64), torch.zeros(2, 0))
    assert none.log_prob[:, 0].tolist() == [0, 0]
    assert none.elsewhere.exp().tolist() == [1, 1]


def test_no_other_kind_has_an_upper_bound_of_its_own() -> None:
    kinds = [kind for kind in Prediction.registered.values() if "upper_log_prob" in vars(kind)]
    assert {kind.__name__ for kind in kinds} == {"ListedNodes"}


def test_fields_of_different_shapes_are_refused() -> None:
    with pytest.raises(InputError, match="same shape"):
        ListedNodes(TREE, torch.zeros(1, 2, dtype=torch.int64), torch.zeros(1, 3))
    with pytest.raises(InputError, match="int64"):
        ListedNodes(TREE, torch.zeros(1, 2), torch.zeros(1, 2))


def test_log_masses_far_below_zero_stay_finite() -> None:
    prediction = ListedNodes(TREE, torch.tensor([[B, E]]), torch.tensor([[-1e4, -2e4]]))
    assert prediction.log_prob[0, A].item() == -1e4
    assert prediction.log_prob[0, D].item() == -2e4
    assert math.isclose(float(np.exp(prediction.elsewhere.item())), 1.0)


@given(lists(), st.integers(1, 9), st.floats(-3, 0.1))
def test_few_nodes_are_answered_as_from_all(
    drawn: tuple[Taxonomy, list[dict[int, float]], bool], k: int, bar: float
) -> None:
    """The listed nodes alone give the same result as the values of all nodes."""
    tree, rows, inner = drawn
    prediction = listed(rows, tree, at_inner_nodes=inner)
    assert prediction._is_short or tree.num_nodes == 1
    random = torch.Generator().manual_seed(k)
    eligible = torch.rand(tree.num_nodes, generator=random) < 0.7
    for bars in (torch.full((len(rows),), bar), torch.full((len(rows),), -torch.inf)):
        bars = bars.double()
        few, dense = prediction.nodes_above(eligible, bars), Prediction.nodes_above(prediction, eligible, bars)
        found, expected = (
            {(i, v): p for i, v, p in zip(*(x.tolist() for x in each), strict=True)} for each in (few, dense)
        )
        assert len(found) == len(few.node)  # each once
        close = {pair: p for pair, p in expected.items() if abs(p - bar) > 1e-9}
        assert {pair: p for pair, p in found.items() if abs(p - bar) > 1e-9} == pytest.approx(close, abs=1e-9)
    best = Prediction.best_among(prediction, eligible)
    torch.testing.assert_close(prediction.best_among(eligible), best)
    every = torch.arange(tree.num_nodes).expand(len(rows), -1)
    fresh = listed(rows, tree, at_inner_nodes=inner)
    torch.testing.assert_close(fresh.log_prob_of(every), prediction.log_prob)
    image, node = torch.randint(len(rows), (20,)), torch.randint(tree.num_nodes, (20,))
    torch.testing.assert_close(fresh.log_prob_at(image, node), prediction.log_prob[image, node])
    assert tree.num_nodes == 1 or "log_prob" not in vars(fresh)
    assert fresh.best_leaf().node.equal(Prediction.best_leaf(prediction).node)
    torch.testing.assert_close(fresh.best_leaf().log_prob, Prediction.best_leaf(prediction).log_prob)
    assert fresh.leaf_ranking(k).equal(Prediction.leaf_ranking(prediction, k))
    if tree.num_nodes > 1:
        order = best_nodes(prediction.own_log_prob[..., 1:], torch.arange(1, tree.num_nodes), k)
        assert fresh.ranking(k).equal(order)
    assert fresh.precision == prediction.log_prob.dtype
    some = torch.nonzero(eligible).squeeze(1)
    for got, expected in zip(
        fresh.best_leaf_and_rivals(some), Prediction.best_leaf_and_rivals(prediction, some), strict=True
    ):
        torch.testing.assert_close(got, expected)
    outside = Prediction.prob_outside(prediction, image, node)
    torch.testing.assert_close(fresh.prob_outside(image, node), outside, atol=1e-15, rtol=1e-9)
    assert tree.num_nodes == 1 or "log_prob" not in vars(fresh)


@given(lists())
def test_short_lists_are_decided_without_all_nodes(drawn: tuple[Taxonomy, list[dict[int, float]], bool]) -> None:
    tree, rows, inner = drawn
    guaranteed = [kind(caution=x) for kind in GUARANTEED for x in (0.3, 0.9, 2.0)]
    for rule in (Majority(), Threshold(0.3), Leaf(), OperatingPoint(0.6), *guaranteed):
        few, dense = (listed(rows, tree, at_inner_nodes=inner) for _ in range(2))
        _ = dense.log_prob
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(ListedNodes, "_is_short", False)
            expected = rule(dense)
        found = rule(few)
        assert isinstance(found, Nodes)
        assert isinstance(expected, Nodes)
        assert found.node.equal(expected.node), rule.handle
        torch.testing.assert_close(found.log_prob, expected.log_prob)
        if rule.name != "operating-point":
            assert tree.num_nodes == 1 or not {"log_prob", "own_log_prob"} & set(vars(few)), rule.handle


@pytest.mark.parametrize("kind", GUARANTEED)
@given(lists(), st.integers(0, 99))
def test_guarantees_are_fitted_on_short_lists_as_on_all_nodes(
    kind: type[Guaranteed], drawn: tuple[Taxonomy, list[dict[int, float]], bool], seed: int
) -> None:
    tree, rows, inner = drawn
    few, dense = (listed(rows * 20, tree, at_inner_nodes=inner) for _ in range(2))
    random = torch.Generator().manual_seed(seed)
    target = torch.randint(tree.num_nodes, (len(rows) * 20,), generator=random)
    target = torch.where(torch.rand(len(target), generator=random) < 0.2, target, few.best_leaf().node)
    rule = kind(guarantee=0.3)
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of answers with the root alone
        found = rule.fit(few, target)
        patch.setattr(ListedNodes, "_is_short", False)
        expected = rule.fit(dense, target)
    assert tree.num_nodes == 1 or "log_prob" not in vars(few)
    assert found.caution == pytest.approx(expected.caution, rel=1e-6, abs=1e-9)
