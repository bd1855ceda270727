from __future__ import annotations

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor

from cladewise.decisions import ExclusiveMass, ExpectedInformation, Leaf, NodeArgmax, Plurality, Threshold
from cladewise.decisions.candidates import candidates, is_first, log_bar, says_something
from cladewise.ops import tree_index
from cladewise.predictions import LeafSoftmax, NodeSoftmax
from cladewise.taxonomy import Taxonomy
from reference import decisions_twin
from reference.given_predictions import KINDS, Given, random_prediction
from reference.small_trees import T9_THETA, ragged_taxonomies, t9, t9_nodes, t9_order

FLAT = [1, 0.512471, 0.40453, 0.082999, 0.101375, 0.411096, 0.40453, 0.336577, 0.067954]


def flat() -> Given:
    return Given(t9(), torch.tensor([FLAT])[:, t9_order()].log())


def theta() -> Tensor:
    return torch.tensor(T9_THETA)[t9_order()]


def test_golden() -> None:
    # the runner-up is node 2 with .40453: the leaf 5 with .411096 is the most informative above it
    assert Plurality()(flat()).node.tolist() == t9_nodes(5)
    assert ExpectedInformation()(flat()).node.tolist() == t9_nodes(5)
    assert ExclusiveMass()(NodeSoftmax(t9(), theta())).node.item() == t9_nodes(5)[0]


@given(ragged_taxonomies(), st.sampled_from([*KINDS, "Given"]), st.integers(0, 10**6))
@settings(max_examples=50)
def test_rules_agree_with_one_node_at_a_time(taxonomy: Taxonomy, kind: str, seed: int) -> None:
    if kind == "Given":  # a root that is not certain, and children above their parents
        of_nodes = random_prediction("NodeSoftmax", taxonomy, 3, 2, seed=seed).logits
        prediction = Given(taxonomy, of_nodes.sigmoid().log())
    else:
        prediction = random_prediction(kind, taxonomy, 3, 2, seed=seed)
    rules = {
        Plurality(): decisions_twin.plurality,
        ExpectedInformation(): decisions_twin.expected_information,
        ExclusiveMass(): decisions_twin.exclusive_mass,
    }
    for rule, twin in rules.items():
        answer = rule(prediction)
        assert answer.node.shape == (3, 2)
        for i, j in [(i, j) for i in range(3) for j in range(2)]:
            assert answer.node[i, j] == twin(taxonomy, prediction.log_prob[i, j].exp().tolist()), rule
        torch.testing.assert_close(answer.log_prob, prediction.log_prob.gather(-1, answer.node[..., None])[..., 0])


@given(ragged_taxonomies(), st.sampled_from(sorted(KINDS)), st.integers(0, 10**6), st.sampled_from([0.0, 0.2, 0.5]))
@settings(max_examples=36)
def test_what_is_put_aside_is_beaten_by_what_is_left(taxonomy: Taxonomy, kind: str, seed: int, bar: float) -> None:
    prediction = random_prediction(kind, taxonomy, 4, seed=seed)
    index = tree_index(taxonomy, "cpu")
    log_prob, information = prediction.log_prob, torch.tensor(taxonomy.information)
    for eligible in (says_something(index), is_first(index)):
        found = candidates(prediction, eligible, log_bar(bar, log_prob.dtype))
        front = found.undominated()
        for image in range(4):
            kept, best = found.node[found.image == image], front.node[front.image == image]
            assert set(best.tolist()) <= set(kept.tolist())
            for v in range(taxonomy.num_nodes):
                if eligible[v] and log_prob[image, v] > log_bar(bar, log_prob.dtype):
                    beats = (log_prob[image, best] >= log_prob[image, v]) & (information[best] >= information[v])
                    assert beats.any()
            assert (log_prob[image, best].diff() < 0).all()
            assert (information[best].diff() > 0).all()


def test_masks_of_only_children() -> None:
    taxonomy = Taxonomy.from_paths([("a", "b", "c"), ("d", "e"), ("d", "f")])
    index = tree_index(taxonomy, "cpu")
    silent = [v for v in range(taxonomy.num_nodes) if len(taxonomy.children(v)) == 1]
    assert torch.nonzero(~says_something(index)).flatten().tolist() == silent
    only = [int(taxonomy.children(v)[0]) for v in silent]
    assert torch.nonzero(~is_first(index)).flatten().tolist() == sorted(only)


def test_plurality_is_above_every_runner_up_and_no_more() -> None:
    taxonomy = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d", "e"), ("d", "f")])
    p = LeafSoftmax(taxonomy, torch.tensor([[0.3, 0.25, 0.3, 0.15], [0.5, 0.3, 0.1, 0.1]]).log())
    assert [taxonomy.path_name(v) for v in Plurality()(p).node.tolist()] == ["a", "a/b"]
    even = LeafSoftmax(taxonomy, torch.zeros(1, 4))
    assert Plurality()(even).node.item() == 0


def test_plurality_of_equals_is_none_even_against_rounding() -> None:
    taxonomy = Taxonomy.from_paths([("a", "b", "c"), ("d", "e"), ("f",)])  # chains: sums of one, which may round
    for shift in (0.0, 0.1, -17.3):
        assert Plurality()(LeafSoftmax(taxonomy, torch.full((2, 3), shift))).node.tolist() == [0, 0]


def test_an_incoherent_runner_up_may_be_anywhere() -> None:
    taxonomy = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d", "e"), ("d", "f")])
    p = torch.tensor([1.0, 0.9, 0.6, 0.5, 0.2, 0.95, 0.95])
    # the way down is a, a/b; but d's children tie at .95, above everything
    assert Plurality()(Given(taxonomy, p.log())).node.item() == 0


def test_exclusive_mass_is_the_leaf_or_the_node() -> None:
    coherent = random_prediction("SiblingSoftmax", t9(), 20)
    assert ExclusiveMass()(coherent).node.equal(Leaf()(coherent).node)
    nodes = random_prediction("NodeSoftmax", t9(), 20)
    assert ExclusiveMass()(nodes).node.equal(NodeArgmax()(nodes).node)


def test_expected_information_of_a_tree_that_says_nothing() -> None:
    chain = Taxonomy.from_paths([("a", "b", "c")])
    for rule in (ExpectedInformation(), Plurality(), Threshold(0.5)):
        assert rule(LeafSoftmax(chain, torch.zeros(2, 1))).node.tolist() == [3, 3]


@pytest.mark.parametrize("rule", [Plurality(), ExpectedInformation(), ExclusiveMass(), Threshold(0.0)])
def test_no_images(rule: Plurality) -> None:
    assert rule(LeafSoftmax(t9(), torch.zeros(0, 5))).node.shape == (0,)
    assert rule(LeafSoftmax(t9(), torch.zeros(5))).node.shape == ()


@given(ragged_taxonomies(), st.integers(0, 10**6))
@settings(max_examples=15)
def test_a_threshold_of_nothing_is_the_best_leaf(taxonomy: Taxonomy, seed: int) -> None:
    prediction = random_prediction("LeafSoftmax", taxonomy, 3, seed=seed)
    assume((prediction.log_prob > -30).all())
    assert Threshold(0.0)(prediction).node.equal(Leaf()(prediction).node)
