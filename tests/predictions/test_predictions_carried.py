"""Predictions carried into another tree: against a slow twin, mass conserved, untouched nodes bit for bit."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cladewise.errors import InputError
from cladewise.predictions import (
    CarriedPrediction,
    Coherence,
    ConditionalSigmoid,
    LeafSoftmax,
    LevelSoftmax,
    NodeSigmoid,
    NodeSoftmax,
    Prediction,
    SiblingSoftmax,
    level_width,
    storage,
)
from cladewise.taxonomy import Taxonomy
from cladewise.taxonomy.carry_over import CarryOver
from cladewise.taxonomy.correspondence import Correspondence
from reference.carry_twin import carried_levels, carried_mass
from reference.random_edits import random_edits
from strategies import taxonomies

KINDS = (LeafSoftmax, NodeSoftmax, SiblingSoftmax, ConditionalSigmoid, NodeSigmoid, LevelSoftmax)


def predicted(kind: type[Prediction], tree: Taxonomy, seed: int, images: int = 3) -> Prediction:
    """A prediction with random scores in double precision."""
    levels = tuple(range(1, tree.num_levels + 1))
    width = {
        LeafSoftmax: tree.num_leaves,
        NodeSoftmax: tree.num_nodes,
        LevelSoftmax: level_width(tree, levels, tied=False),
    }.get(kind, tree.num_nodes - 1)
    logits = 2 * torch.randn(images, width, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return kind(tree, logits)


@st.composite
def carried_over(draw: st.DrawFn) -> tuple[Correspondence, CarriedPrediction]:
    tree = draw(taxonomies(max_nodes=14, min_nodes=3))
    found, _ = random_edits(tree, draw(st.integers(0, 8)), draw(st.integers(0, 10**6)))
    before = predicted(draw(st.sampled_from(KINDS)), tree, draw(st.integers(0, 100)))
    return found, CarriedPrediction.of(before, CarryOver.of(found))


@given(carried_over())
def test_probabilities_are_those_of_the_slow_twin(case: tuple[Correspondence, CarriedPrediction]) -> None:
    found, carried = case
    before = carried.before
    for image in range(3):
        if before.coherence in (Coherence.EXACT, Coherence.SUPERADDITIVE):
            expected = carried_mass(found, before.own_log_prob[image].exp().tolist())
        else:
            monotone = before.coherence is Coherence.MONOTONE
            expected = carried_levels(found, before.log_prob[image].exp().tolist(), monotone=monotone)
        np.testing.assert_allclose(carried.log_prob[image].exp(), expected, atol=1e-9)


@given(carried_over())
def test_it_is_as_coherent_as_it_says_and_loses_no_mass(case: tuple[Correspondence, CarriedPrediction]) -> None:
    _, carried = case
    tree, p = carried.taxonomy, carried.log_prob.exp()
    assert p.shape == (3, tree.num_nodes)
    torch.testing.assert_close(p[:, 0], torch.ones(3, dtype=p.dtype))
    parents = torch.as_tensor(tree.parents[1:].copy())
    below = torch.zeros_like(p).index_add(1, parents, p[:, 1:])
    inner = torch.as_tensor(~tree.is_leaf)
    if carried.coherence is not Coherence.NONE:
        assert (p[:, 1:] <= p[:, parents] + 1e-9).all()
    if carried.coherence is Coherence.EXACT:
        torch.testing.assert_close(below[:, inner], p[:, inner])
    if carried.coherence in (Coherence.EXACT, Coherence.SUPERADDITIVE):
        assert (below <= p + 1e-9)[:, inner].all()
        torch.testing.assert_close(carried.own_log_prob.exp().sum(-1), torch.ones(3, dtype=p.dtype))


@given(carried_over())
def test_untouched_leaves_keep_every_bit(case: tuple[Correspondence, CarriedPrediction]) -> None:
    _, carried = case
    kept = np.flatnonzero(carried.carry_over.untouched & carried.carry_over.before.is_leaf)
    kept = kept[carried.taxonomy.is_leaf[carried.carry_over.place[kept]]]
    new = carried.carry_over.place[kept]
    assert carried.log_prob[:, new].equal(carried.before.log_prob[:, kept])


@given(carried_over())
def test_it_can_be_sliced_and_asked_as_any_prediction(case: tuple[Correspondence, CarriedPrediction]) -> None:
    _, carried = case
    assert carried[1:].log_prob.equal(carried.log_prob[1:])
    assert carried.flat().batch_shape == (3,)
    assert carried.logits.shape == (3, len(carried.scored_nodes))
    assert (carried.ranking(3) < carried.taxonomy.num_nodes).all()
    best = carried.best_leaf()
    assert carried.taxonomy.is_leaf[best.node.numpy()].all()
    torch.testing.assert_close(best.log_prob, carried.log_prob.gather(1, best.node[:, None]).squeeze(1))
    assert carried.leaf_scores().shape == (3, carried.taxonomy.num_leaves)
    assert carried.settled() is carried


def test_a_view_is_not_a_kind_that_is_stored() -> None:
    assert "CarriedPrediction" not in storage.kinds()


def test_a_prediction_over_another_tree_is_refused() -> None:
    one, other = Taxonomy.from_paths([("a",), ("b",)]), Taxonomy.from_paths([("a",), ("c",)])
    with pytest.raises(InputError, match="a prediction over"):
        CarriedPrediction.of(LeafSoftmax(one, torch.zeros(1, 2)), CarryOver.none(other))


def test_merged_leaves_of_a_real_softmax_are_pooled_exactly() -> None:
    """The union has the sum, which no row of weights gives: its logit is not linear in those of the two."""
    old, new = Taxonomy.from_paths([("a",), ("b",), ("c",)]), Taxonomy.from_paths([("ab",), ("c",)])
    carry = CarryOver.of(Correspondence.from_pairs(old, new, [(1, 1), (2, 1), (3, 2)]))
    logits = torch.tensor([[2.0, -1.0, 0.5], [1e4, 1e4, -1e4]])
    p = CarriedPrediction.of(LeafSoftmax(old, logits), carry).log_prob.exp()
    before = logits.softmax(-1)
    torch.testing.assert_close(p[:, 1], before[:, 0] + before[:, 1])
    assert p[:, 2].log().equal(before[:, 2].log())
