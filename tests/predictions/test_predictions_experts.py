"""A general prediction with experts for some branches."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cladewise import Taxonomy, decisions, inference
from cladewise.errors import InputError
from cladewise.predictions import Coherence, LeafSoftmax, NodeSigmoid, NodeSoftmax, Prediction, with_experts
from reference.given_predictions import random_prediction
from reference.laws import RAGGED
from strategies import taxonomies

KINDS = ("LeafSoftmax", "SiblingSoftmax", "NodeSoftmax")


def twin(general: Prediction, experts: dict[int, Prediction]) -> np.ndarray:
    """Probabilities at or under every node, by a loop over the tree; experts are over the same tree."""
    tree, p = general.taxonomy, general.log_prob.exp().double().numpy().copy()
    for branch, expert in experts.items():
        q = expert.log_prob.exp().double().numpy()
        for node in range(branch, int(tree.end[branch])):
            p[:, node] = general.log_prob.exp().double().numpy()[:, branch] * q[:, node] / q[:, branch]
    return p


def branches_of(taxonomy: Taxonomy, data: st.DataObject) -> list[int]:
    """Some inner nodes beside each other."""
    chosen: list[int] = []
    for node in np.flatnonzero(~taxonomy.is_leaf).tolist():
        beside = not chosen or node >= taxonomy.end[chosen[-1]]
        if beside and data.draw(st.booleans()):
            chosen.append(node)
    return chosen


def branch_tree(taxonomy: Taxonomy, branch: int) -> Taxonomy:
    """A branch as a tree of its own."""
    nodes = range(branch, int(taxonomy.end[branch]))
    parents = [-1, *(int(taxonomy.parents[node]) - branch for node in nodes[1:])]
    return Taxonomy.from_parents(parents, taxonomy.names[nodes])


@given(taxonomies(max_nodes=16), st.sampled_from(KINDS), st.sampled_from(KINDS), st.data())
@settings(max_examples=100, deadline=None)
def test_the_expert_divides_what_the_general_prediction_gives(
    taxonomy: Taxonomy, first: str, second: str, data: st.DataObject
) -> None:
    seed = data.draw(st.integers(0, 999))
    general = random_prediction(first, taxonomy, 4, seed=seed, dtype=torch.float64)
    branches = branches_of(taxonomy, data)
    experts = {b: random_prediction(second, taxonomy, 4, seed=seed + 1 + b, dtype=torch.float64) for b in branches}
    found = with_experts(general, experts)
    np.testing.assert_allclose(found.log_prob.exp().numpy(), twin(general, experts), atol=1e-9)
    exact = first != "NodeSoftmax" and (second != "NodeSoftmax" or not experts)
    assert (found.coherence is Coherence.EXACT) is exact
    own = found.own_log_prob.exp().numpy()
    np.testing.assert_allclose(own.sum(-1), 1, atol=1e-9)
    assert decisions.Majority()(found).node.shape == (4,)


@given(taxonomies(max_nodes=16), st.sampled_from(KINDS), st.data())
@settings(max_examples=50, deadline=None)
def test_a_prediction_is_its_own_expert(taxonomy: Taxonomy, kind: str, data: st.DataObject) -> None:
    one = random_prediction(kind, taxonomy, 3, seed=data.draw(st.integers(0, 999)), dtype=torch.float64)
    found = with_experts(one, dict.fromkeys(branches_of(taxonomy, data), one))
    np.testing.assert_allclose(found.log_prob.exp().numpy(), one.log_prob.exp().numpy(), atol=1e-9)


@given(taxonomies(max_nodes=16), st.sampled_from(KINDS), st.data())
@settings(max_examples=50, deadline=None)
def test_an_expert_may_know_the_branch_alone(taxonomy: Taxonomy, kind: str, data: st.DataObject) -> None:
    general = random_prediction("LeafSoftmax", taxonomy, 3, seed=data.draw(st.integers(0, 99)), dtype=torch.float64)
    for branch in branches_of(taxonomy, data):
        expert = random_prediction(kind, branch_tree(taxonomy, branch), 3, seed=branch, dtype=torch.float64)
        found = with_experts(general, {branch: expert}).log_prob[:, branch : int(taxonomy.end[branch])]
        expected = general.log_prob[:, [branch]].exp() * expert.log_prob.exp()
        np.testing.assert_allclose(found.exp().numpy(), expected.numpy(), atol=1e-9)


def test_branches_by_name_path_and_node_and_experts_in_another_order() -> None:
    general = LeafSoftmax(RAGGED, torch.zeros(1, RAGGED.num_leaves))
    birds = Taxonomy.from_paths(
        [("bird", "wren"), ("bird", "warbler", "reed warbler"), ("bird", "warbler", "wood warbler"), ("stone",)]
    )
    expert = LeafSoftmax(birds, torch.tensor([[0.1, 0.2, 0.3, 0.4]]).log())  # in the order of its own leaves
    leaf = {str(birds.names[node]): p for node, p in zip(birds.leaf_nodes, [0.1, 0.2, 0.3, 0.4], strict=True)}
    for key in ("bird", ("bird",), RAGGED.find("bird"), np.int64(RAGGED.find("bird"))):
        found = with_experts(general, {key: expert}).log_prob.exp()[0]
        share = 0.5 / (1 - leaf["stone"])  # three of six leaves are birds
        assert found[RAGGED.find("wren")].item() == pytest.approx(share * leaf["wren"])
        assert found[RAGGED.find("reed warbler")].item() == pytest.approx(share * leaf["reed warbler"])
        assert found[RAGGED.find("eel")].item() == pytest.approx(1 / 6)


def test_impossible_branches_and_large_scores_stay_finite() -> None:
    tree = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d", "e"), ("d", "f")])
    scores = torch.tensor([[-1e4, 1e4, 0.0, -1e4]])
    found = with_experts(LeafSoftmax(tree, scores), {"a": LeafSoftmax(tree, -scores), "d": LeafSoftmax(tree, -scores)})
    assert torch.isfinite(found.log_prob).all()
    never = torch.tensor([[-torch.inf, -torch.inf, 0.0, 1.0]])
    general = LeafSoftmax(tree, torch.tensor([[1.0, 2.0, 3.0, 4.0]]))
    torch.testing.assert_close(with_experts(general, {"a": LeafSoftmax(tree, never)}).log_prob, general.log_prob)
    shut = with_experts(LeafSoftmax(tree, never), {"a": general})
    torch.testing.assert_close(shut.log_prob, LeafSoftmax(tree, never).log_prob)


def test_gradients_reach_both() -> None:
    tree = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
    first, second = (torch.zeros(2, 3, requires_grad=True) for _ in range(2))
    found = with_experts(LeafSoftmax(tree, first), {"a": LeafSoftmax(tree, second)})
    found.log_prob[:, tree.find("b")].sum().backward()
    assert first.grad is not None
    assert second.grad is not None
    torch.testing.assert_close(first.grad[0], torch.tensor([1 / 6, 1 / 6, -1 / 3]))  # of log P(a), shared by b and c
    torch.testing.assert_close(second.grad[0], torch.tensor([0.5, -0.5, 0.0]))  # of log P(b | a)


def test_what_cannot_be_composed_is_told() -> None:
    tree = Taxonomy.from_paths([("a", "b"), ("a", "c", "x"), ("a", "c", "y"), ("d",)])
    general = LeafSoftmax(tree, torch.zeros(2, 4))
    with pytest.raises(InputError, match="branches with nodes below them, but got the leaf d"):
        with_experts(general, {"d": general})
    with pytest.raises(InputError, match="branches beside each other, but got a/c inside a"):
        with_experts(general, {"a": general, "c": general})
    with pytest.raises(InputError, match="branches beside each other, but got a/c twice"):
        with_experts(general, {"c": general, ("a", "c"): general})
    for node in (-2, tree.num_nodes):
        with pytest.raises(InputError, match=rf"branches that are nodes, 0 to 6, but got {node}"):
            with_experts(general, {node: general})
    with pytest.raises(InputError, match="with a row for each image of the general prediction"):
        with_experts(general, {"a": general[:1]})
    other = Taxonomy.from_paths([("b",), ("c", "x")])
    with pytest.raises(InputError, match="an expert of a with its 4 nodes, but got one without 'c/y'"):
        with_experts(general, {"a": LeafSoftmax(other, torch.zeros(2, 2))})
    more = Taxonomy.from_paths([("b",), ("c", "x"), ("c", "y"), ("z",)])
    with pytest.raises(InputError, match=r"an expert of a with its 4 nodes, but got .*, which has others"):
        with_experts(general, {"a": LeafSoftmax(more, torch.zeros(2, 4))})
    sigmoids = NodeSigmoid(tree, torch.zeros(2, tree.num_nodes - 1))
    with pytest.raises(InputError, match=r"together, but got NodeSigmoid\. Apply inference\.BottomUp\(\) to it first"):
        with_experts(sigmoids, {"a": general})
    assert with_experts(inference.BottomUp()(sigmoids), {"a": general}).coherence is Coherence.EXACT
    assert isinstance(with_experts(general, {"a": NodeSoftmax(tree, torch.zeros(2, tree.num_nodes))}), NodeSoftmax)
