"""Predictions over an altered tree, read over the true one: slow twins, and what stays as the network said it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from cladewise import InputError, Taxonomy
from cladewise.inference import BottomUp
from cladewise.inference.transplant import kept_levels, transplant
from cladewise.predictions import Coherence, LeafSoftmax, LevelSoftmax, NodeSoftmax, Prediction, level_width
from cladewise.taxonomy.alteration import Alteration
from cladewise.taxonomy.surgery import random_hierarchy, with_wrong_parents, without_levels
from reference import trees as twin
from reference.given_predictions import FROM_HEADS, KINDS, Given, random_prediction
from reference.small_trees import ragged_taxonomies

REGULAR = Taxonomy.from_paths(
    [(f"o{a}", f"f{a}{b}", f"s{a}{b}{c}") for a in range(2) for b in range(3) for c in range(2)],
    level_names=["order", "family", "species"],
)
every_kind = pytest.mark.parametrize("kind", KINDS)


def altered(taxonomy: Taxonomy, how: str, seed: int) -> Alteration:
    try:
        return {
            "random": lambda: random_hierarchy(taxonomy, seed),
            "wrong": lambda: with_wrong_parents(taxonomy, 0.5, seed),
            "fewer levels": lambda: without_levels(taxonomy, [1]),
        }[how]()
    except InputError:
        assume(False)
        raise


def leaves_summed_up(prediction: Prediction, change: Alteration) -> torch.Tensor:
    """The leaves of what bottom-up inference makes of the prediction, found by what they are, and summed up by sets."""
    leaves = BottomUp()(prediction).log_prob.exp().numpy()
    rows: list[list[float]] = []
    for row in leaves:
        mass = {int(change.origin[v]): float(row[v]) for v in change.own.leaf_nodes.tolist()}
        rows.append([sum(mass[u] for u in twin.leaves_under(change.true, v)) for v in change.true])
    return torch.tensor(rows, dtype=torch.float64)


@settings(max_examples=12)
@given(st.data(), st.integers(0, 10**6))
def test_leaves_keep_their_mass_wherever_they_hang(data: st.DataObject, seed: int) -> None:
    how = data.draw(st.sampled_from(["random", "wrong", "fewer levels"]))
    change = altered(data.draw(ragged_taxonomies()), how, seed)
    for kind in KINDS:
        own = random_prediction(kind, change.own, 2, seed=seed)
        carried = transplant(own, change)
        assert carried.taxonomy == change.true, kind
        if isinstance(carried, LeafSoftmax) and not change.is_none:
            torch.testing.assert_close(carried.log_prob.exp(), leaves_summed_up(own, change), atol=1e-9, rtol=0)
        else:
            assert change.keeps_groups, kind


@every_kind
def test_what_was_not_altered_is_not_touched(kind: str) -> None:
    own = random_prediction(kind, REGULAR, 3)
    assert transplant(own, Alteration.none(REGULAR)) is own


@every_kind
@pytest.mark.parametrize("levels", [[1], [2], [1, 2]])
def test_a_level_that_stays_is_as_the_network_has_it(kind: str, levels: list[int]) -> None:
    change = without_levels(REGULAR, levels)
    own = random_prediction(kind, change.own, 4)
    carried = transplant(own, change)
    kept = kept_levels(change)
    assert kept == tuple(k for k in (1, 2, 3) if k not in levels)
    for level, true_level in enumerate(kept, start=1):
        here, there = own.level_log_prob(level), carried.level_log_prob(true_level)
        assert change.origin[here.nodes.numpy()].tolist() == there.nodes.tolist()
        as_it_was = here.log_prob if own.coherence is Coherence.SUPERADDITIVE else here.log_prob.log_softmax(-1)
        torch.testing.assert_close(there.log_prob, as_it_was)
    if own.coherence in (Coherence.EXACT, Coherence.SUPERADDITIVE):
        torch.testing.assert_close(carried.log_prob[:, change.origin], own.log_prob)
        assert carried.coherence is own.coherence
    leaves = own.level_log_prob(own.taxonomy.num_levels).log_prob.log_softmax(-1)
    for v in np.flatnonzero(np.isin(REGULAR.level, levels)).tolist() if isinstance(carried, LevelSoftmax) else ():
        # a removed node is the sum of its leaves at the finest level, or what a node below it has where that is more
        total = leaves[:, np.searchsorted(REGULAR.leaf_nodes, twin.leaves_under(REGULAR, v))].logsumexp(-1)
        below = carried.log_prob[:, [u for u in twin.under(REGULAR, v) if u != v]].amax(-1)
        torch.testing.assert_close(carried.log_prob[:, v], torch.maximum(total, below))


def test_raw_scores_of_levels_are_carried_over_as_they_are() -> None:
    change = without_levels(REGULAR, [1])
    for tied, levels in ((False, (1, 2)), (True, (1, 2)), (False, (2,))):
        logits = torch.randn(3, level_width(change.own, levels, tied=tied))
        carried = transplant(LevelSoftmax(change.own, logits, levels, tied), change)
        assert isinstance(carried, LevelSoftmax)
        assert carried.level_logits is logits
        assert (carried.levels, carried.tied) == (tuple(k + 1 for k in levels), tied)


def test_removed_nodes_own_nothing() -> None:
    change = without_levels(REGULAR, [2])
    for with_root in (True, False):
        logits = torch.randn(3, change.own.num_nodes - (not with_root), dtype=torch.float64)
        carried = transplant(NodeSoftmax(change.own, logits, with_root), change)
        gone = np.setdiff1d(np.arange(REGULAR.num_nodes), change.origin)
        assert (carried.own_log_prob[:, gone] == -torch.inf).all()
        torch.testing.assert_close(carried.own_log_prob.exp().sum(-1), torch.ones(3, dtype=torch.float64))
        assert (
            carried.scores.argmax(-1).tolist()
            == change.origin[NodeSoftmax(change.own, logits, with_root).scores.argmax(-1).numpy()].tolist()
        )


def test_where_a_path_skips_a_level_the_leaves_alone_are_carried_over() -> None:
    taxonomy = Taxonomy.from_paths([("a", "b", "c"), ("a", "b", "d"), ("", "e", "f"), ("a", "", "g")])
    change = without_levels(taxonomy, [1])
    assert kept_levels(change) == ()
    own = random_prediction("LevelSoftmax", change.own, 2)
    carried = transplant(own, change)
    assert isinstance(carried, LeafSoftmax)
    torch.testing.assert_close(carried.log_prob.exp(), leaves_summed_up(own, change))


@pytest.mark.parametrize("kind", FROM_HEADS)
@pytest.mark.parametrize("how", ["random", "wrong", "fewer levels"])
def test_extreme_scores_stay_finite(kind: str, how: str) -> None:
    change = altered(REGULAR, how, 1)
    own = random_prediction(kind, change.own, 5, dtype=torch.float32)
    extreme = own.map(lambda logits: 1e4 * logits.sign()).map(lambda logits: logits.requires_grad_())
    carried = transplant(extreme, change)
    leaves = carried.log_prob[:, REGULAR.leaf_nodes.copy()]
    assert leaves.isfinite().all()
    assert carried.log_prob.max() <= 1e-5
    leaves.sum().backward()
    assert extreme.logits.grad is not None
    assert extreme.logits.grad.isfinite().all()


def test_a_head_without_scores_of_leaves_is_told() -> None:
    class Rootward(Given):
        @property
        def scored_nodes(self) -> torch.Tensor:
            return torch.arange(1)

    change = random_hierarchy(REGULAR, 0)
    with pytest.raises(InputError, match="a head that scores every leaf, but got Rootward"):
        transplant(Rootward(change.own, torch.zeros(1, 1)), change)
