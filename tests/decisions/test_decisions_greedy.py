from __future__ import annotations

import itertools
from typing import Literal

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from cladewise.decisions import Greedy, Levels
from cladewise.errors import InputError
from cladewise.predictions import LeafSoftmax, LevelSoftmax, PathSumSigmoid, SiblingSoftmax
from cladewise.taxonomy import Taxonomy
from reference import decisions_twin
from reference.given_predictions import FROM_HEADS, KINDS, random_prediction
from reference.small_trees import ragged_taxonomies, t9

NO_TREE = {"LevelSoftmax", "LevelEnergies", "LevelTransition", "EmbeddedLevelSoftmax", "PathSumSigmoid"}
"""Kinds whose children need not sum to their parent."""


@given(
    ragged_taxonomies(),
    st.sampled_from(sorted(set(KINDS) - NO_TREE)),
    st.integers(0, 10**6),
    st.sampled_from([0.0, 0.3, 0.6]),
    st.booleans(),
)
@settings(max_examples=50)
def test_agrees_with_one_step_at_a_time(taxonomy: Taxonomy, kind: str, seed: int, threshold: float, step: bool) -> None:
    prediction = random_prediction(kind, taxonomy, 3, 2, seed=seed)
    p = prediction.log_prob.exp()
    shares = p[..., 1:] / p[..., taxonomy.parents[1:].copy()]
    assume(((p - threshold).abs() > 1e-9).all() and ((shares - threshold).abs() > 1e-9).all())
    answer = Greedy(threshold, on="step" if step else "path")(prediction)
    for i, j in [(i, j) for i in range(3) for j in range(2)]:
        assert answer.node[i, j] == decisions_twin.greedy(taxonomy, p[i, j].tolist(), threshold, step=step)
    torch.testing.assert_close(answer.log_prob, prediction.log_prob.gather(-1, answer.node[..., None])[..., 0])


@given(ragged_taxonomies(), st.integers(0, 10**6))
@settings(max_examples=5)
def test_without_a_threshold_it_ends_at_a_leaf(taxonomy: Taxonomy, seed: int) -> None:
    for kind, on in itertools.product(FROM_HEADS, ("path", "step")):
        node = Greedy(on=on)(random_prediction(kind, taxonomy, 5, seed=seed, scale=50.0)).node
        assert taxonomy.is_leaf[node.numpy()].all(), (kind, on)


@given(ragged_taxonomies(), st.integers(0, 10**6), st.sampled_from(["path", "step"]))
@settings(max_examples=20)
def test_in_a_list_of_nodes_it_ends_where_nothing_below_is_known(
    taxonomy: Taxonomy, seed: int, on: Literal["path", "step"]
) -> None:
    prediction = random_prediction("ListedNodes", taxonomy, 5, seed=seed, scale=50.0)
    for image, node in enumerate(Greedy(on=on)(prediction).node.tolist()):
        children = np.flatnonzero(taxonomy.parents[1:] == node) + 1
        assert (prediction.log_prob[image, children] == -torch.inf).all(), (image, node)


@given(ragged_taxonomies(), st.integers(0, 10**6))
@settings(max_examples=3)
def test_a_higher_bar_stops_on_the_same_way(taxonomy: Taxonomy, seed: int) -> None:
    for kind, on in itertools.product(KINDS, ("path", "step")):
        prediction = random_prediction(kind, taxonomy, 10, seed=seed)
        nodes = [Greedy(bar, on=on)(prediction).node.numpy() for bar in (0.0, 0.3, 0.6, 0.9)]
        for lower, higher in itertools.pairwise(nodes):
            assert taxonomy.contains(higher, lower).all(), (kind, on)


def test_the_leaf_at_the_end_need_not_be_the_most_probable() -> None:
    taxonomy = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
    p = LeafSoftmax(taxonomy, torch.tensor([[0.3, 0.3, 0.4]]).log())
    assert Greedy()(p).node.item() == taxonomy.find("b")


def test_levels_of_their_own_are_masked_not_maximised_over_what_is_below() -> None:
    taxonomy = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d", "e")])
    prediction = LevelSoftmax(taxonomy, torch.tensor([[1.0, 0.5, 0.0, 0.0, 9.0]]))  # a, d; b, c, e
    assert Levels()(prediction).node.tolist() == [[taxonomy.find("a"), taxonomy.find("e")]]
    assert Greedy()(prediction).node.item() == taxonomy.find("b")
    step = torch.tensor([1.0, 0.5]).softmax(0)[0].item()
    assert Greedy(step - 1e-4, on="step")(prediction).node.item() == taxonomy.find("a")
    assert Greedy(step + 1e-4, on="step")(prediction).node.item() == 0


def test_deep_rtc_steps_are_softmaxes_of_raw_scores() -> None:
    taxonomy = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
    scores = torch.tensor([[900.0, 2.0, 0.0, 899.0]])  # the sigmoids of 900 and 899 are one number
    prediction = PathSumSigmoid(taxonomy, scores)
    assert Greedy()(prediction).node.item() == taxonomy.find("b")
    first, second = torch.tensor([1.0, 0.0]).softmax(0)[0].item(), torch.tensor([2.0, 0.0]).softmax(0)[0].item()
    assert first < second
    assert Greedy(first + 1e-3, on="step")(prediction).node.item() == 0
    assert Greedy(first - 1e-3, on="step")(prediction).node.item() == taxonomy.find("b")


def test_the_bar_is_reached_by_equality_even_against_rounding() -> None:
    thirds = Taxonomy.from_paths([(name,) for name in "abc"])
    for shift in (0.0, 3.3, -17.1):
        logits = torch.full((1, 3), shift)
        for prediction in (LeafSoftmax(thirds, logits), SiblingSoftmax(thirds, logits)):
            assert Greedy(1 / 3)(prediction).node.item() == 1
            assert Greedy(1 / 3 + 1e-4)(prediction).node.item() == 0
    chain = Taxonomy.from_paths([("a", "b", "c")])
    assert Greedy(1.0)(LeafSoftmax(chain, torch.tensor([[3.7]]))).node.item() == 3


def test_the_lowest_of_equal_children() -> None:
    assert Greedy()(SiblingSoftmax(t9(), torch.zeros(2, 8))).node.tolist() == [2, 2]


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: Greedy(1.5), r"Expected a threshold in \[0, 1\], but got 1.5. 0 always reaches a leaf."),
        (lambda: Greedy(0.5, on="node"), "Expected the probability of the path or of the step, but got 'node'."),
    ],
)
def test_wrong_options_are_named(call, text: str) -> None:
    with pytest.raises(InputError, match=text):
        call()


def test_handles_differ() -> None:
    assert Greedy().handle == "greedy"
    assert Greedy(0.5).handle != Greedy(0.5, on="step").handle
