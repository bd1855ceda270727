"""Label hierarchy transition: closed forms, theorem 1 and lemma 1 of the paper, and a twin that forms every matrix."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cladewise import InputError, Taxonomy
from cladewise.losses import FlatSoftmaxLoss, LHTLoss, flat_softmax_loss
from cladewise.predictions import LeafSoftmax, LevelTransition, transition_layout
from reference import transition_twin as twin
from reference.small_trees import ragged_taxonomies, t9, t9_nodes

THREE_LEVELS = Taxonomy.from_paths(
    [("a", "b", "c"), ("a", "b", "d"), ("a", "e", "f"), ("g", "h", "i"), ("g", "h", "j"), ("g", "k")]
)
TREES = {"three levels": THREE_LEVELS, "nine nodes": t9(), "chain": Taxonomy.from_paths([("a", "b", "c")])}
every_tree = pytest.mark.parametrize("tree", TREES)
every_form = pytest.mark.parametrize("rank", [None, 2], ids=["full", "low-rank"])
every_order = pytest.mark.parametrize("order", ["f2c", "c2f"])
CERTAIN = 1e3


def transitions(taxonomy: Taxonomy, leaf_scores: torch.Tensor, rank: int | None, certainty: float) -> torch.Tensor:
    """Logits from fine to coarse whose transitions are the tree's own, as certain as that."""
    layout = transition_layout(taxonomy, rank=rank)
    logits = leaf_scores.new_zeros(leaf_scores.shape[0], layout.width)
    logits[:, : leaf_scores.shape[1]] = leaf_scores
    for step in layout.steps:
        if rank is None:
            scores = torch.zeros(step.source_nodes.size, step.target_nodes.size, dtype=logits.dtype)
            scores[step.edges.source, step.edges.target] = certainty
            logits[:, step.columns] = scores.flatten()
        else:
            logits[:, step.columns.stop - 1] = certainty
    return logits


def confusion_alone(taxonomy: Taxonomy, logits: torch.Tensor, rank: int | None, order: str = "f2c") -> torch.Tensor:
    """The second term: what doubling its weight adds."""
    target = torch.zeros(len(logits), dtype=torch.int64)
    once, twice = (LHTLoss(taxonomy, w, order=order, rank=rank)(logits, target) for w in (1.0, 2.0))
    return twice - once


@every_tree
@every_form
def test_transitions_of_the_tree_are_bottom_up_sums(tree: str, rank: int | None) -> None:
    taxonomy = TREES[tree]
    leaf_scores = torch.randn(6, taxonomy.num_leaves, dtype=torch.float64)
    logits = transitions(taxonomy, leaf_scores, rank, CERTAIN)
    prediction, sums = LevelTransition(taxonomy, logits, rank=rank), LeafSoftmax(taxonomy, leaf_scores)
    for level in range(1, taxonomy.num_levels + 1):
        torch.testing.assert_close(prediction.level_log_prob(level).log_prob, sums.level_log_prob(level).log_prob)
    target = torch.tensor(taxonomy.leaf_nodes[np.arange(6) % taxonomy.num_leaves])
    expected = torch.zeros(6, dtype=torch.float64)
    for level in range(1, taxonomy.num_levels + 1):  # the marginalising classifier: a cross-entropy of every sum
        expected += flat_softmax_loss(leaf_scores, torch.tensor(taxonomy.at_level(level))[target], taxonomy)
    for weight in (0.0, 2.0):  # certain transitions cost no confusion
        loss = LHTLoss(taxonomy, weight, rank=rank)
        torch.testing.assert_close(loss(logits, target), expected)


@every_form
def test_the_marginalising_classifier_of_the_golden_tree(rank: int | None) -> None:
    """Flat probabilities of node 4's path: .101375, .512471, and itself again at the level below."""
    taxonomy = t9()
    scores = torch.tensor([-0.8, -0.6, 0.8, 0.6, -1.0])  # 3, 4, 5, 7, 8 by breadth
    leaves = [int(taxonomy.leaf_nodes.tolist().index(v)) for v in t9_nodes(3, 4, 5, 7, 8)]
    ordered = torch.empty(1, 5, dtype=torch.float64)
    ordered[0, leaves] = scores.double()
    logits = transitions(taxonomy, ordered, rank, CERTAIN)
    loss = LHTLoss(taxonomy, 0.0, rank=rank)(logits, torch.tensor(t9_nodes(4)))
    assert loss.item() == pytest.approx(2 * 2.288929 - math.log(0.512471), abs=1e-5)


@every_tree
@every_form
@every_order
def test_uniform_transitions(tree: str, rank: int | None, order: str) -> None:
    """Lemma 1: no information at all costs log C at a level and gives back as much for every weight."""
    taxonomy = TREES[tree]
    layout = transition_layout(taxonomy, order=order, rank=rank)
    logits = torch.zeros(taxonomy.num_nodes, layout.width, dtype=torch.float64)
    logits[:, : layout.first_nodes.size] = torch.randn(taxonomy.num_nodes, layout.first_nodes.size)
    sizes = [step.target_nodes.size for step in layout.steps]
    bottom = -sum(map(math.log, sizes))
    expected = torch.full((taxonomy.num_nodes,), bottom, dtype=torch.float64)
    torch.testing.assert_close(confusion_alone(taxonomy, logits, rank, order), expected)
    prediction = LevelTransition(taxonomy, logits, order=order, rank=rank)
    for step in layout.steps:
        log_prob = prediction.level_log_prob(step.target_level).log_prob
        torch.testing.assert_close(log_prob, torch.full_like(log_prob, -math.log(step.target_nodes.size)))
    loss = LHTLoss(taxonomy, 3.0, order=order, rank=rank)
    assert loss.lower_bound == pytest.approx(3 * bottom)
    leaves = torch.tensor(taxonomy.leaf_nodes)
    of_first = prediction.level_log_prob(layout.first_level).log_prob[leaves]
    own = taxonomy.at_level(layout.first_level)[taxonomy.leaf_nodes]
    place = torch.tensor(np.searchsorted(layout.first_nodes, own))
    expected = -of_first.gather(1, place[:, None])[:, 0] - 2 * bottom
    torch.testing.assert_close(loss(logits[leaves], leaves), expected + 4 * bottom)


@every_tree
@every_form
@every_order
def test_confusion_lies_between_nothing_and_everything(tree: str, rank: int | None, order: str) -> None:
    """The mean over the sources of a divergence from even shares, less log C."""
    taxonomy = TREES[tree]
    layout = transition_layout(taxonomy, order=order, rank=rank)
    logits = 4 * torch.randn(50, layout.width, dtype=torch.float64)
    confusion = confusion_alone(taxonomy, logits, rank, order)
    bottom = -sum(math.log(step.target_nodes.size) for step in layout.steps)
    assert (confusion <= 1e-12).all()
    assert (confusion >= bottom - 1e-12).all()
    made = twin.chain(taxonomy, logits[0].numpy(), list(layout.levels), order, rank)
    even = [
        np.log(len(matrix)) + np.log(matrix, where=matrix > 0, out=np.zeros_like(matrix)) for matrix in made.matrices
    ]
    divergence = [(matrix * ratio).sum(0).mean() for matrix, ratio in zip(made.matrices, even, strict=True)]
    assert float(confusion[0]) == pytest.approx(sum(divergence) + bottom)


@every_form
def test_one_level_is_a_cross_entropy(rank: int | None) -> None:
    star = Taxonomy.from_paths([(name,) for name in "abcd"])
    logits, target = torch.randn(5, 4), torch.tensor([0, 1, 2, 3, 4])
    expected = FlatSoftmaxLoss(star)(logits, target)
    torch.testing.assert_close(LHTLoss(star, rank=rank)(logits, target), expected)
    leaves = torch.tensor(THREE_LEVELS.leaf_nodes)
    logits = torch.randn(len(leaves), len(leaves))
    loss = LHTLoss(THREE_LEVELS, levels=(3,), rank=rank)
    torch.testing.assert_close(loss(logits, leaves), FlatSoftmaxLoss(THREE_LEVELS)(logits, leaves))
    assert loss.lower_bound == 0.0


def test_naive_transitions_have_the_minimum_of_the_leaves() -> None:
    """Theorem 1, on scores that are free: with the tree's own transitions all levels are learnt by the leaves alone."""
    taxonomy, target = THREE_LEVELS, torch.tensor(THREE_LEVELS.leaf_nodes)
    minima: list[torch.Tensor] = []
    for hierarchical in (True, False):
        scores = torch.zeros(len(target), taxonomy.num_leaves, dtype=torch.float64, requires_grad=True)
        optimizer = torch.optim.Adam([scores], lr=0.5)
        for _ in range(120):
            optimizer.zero_grad()
            if hierarchical:
                losses = LHTLoss(taxonomy, 0.0)(transitions(taxonomy, scores, None, CERTAIN), target)
            else:
                losses = flat_softmax_loss(scores, target, taxonomy)
            losses.sum().backward()
            optimizer.step()
        assert losses.max() < 1e-2
        minima.append(scores.detach().softmax(-1))
    torch.testing.assert_close(minima[0], minima[1], atol=5e-3, rtol=0)
    torch.testing.assert_close(minima[0], torch.eye(len(target), dtype=torch.float64), atol=5e-3, rtol=0)


@every_form
@every_order
def test_a_label_above_a_level_says_nothing_of_it(rank: int | None, order: str) -> None:
    taxonomy = THREE_LEVELS
    loss = LHTLoss(taxonomy, 0.0, order=order, rank=rank)
    logits = torch.randn(1, loss.num_outputs, dtype=torch.float64)
    levels = LevelTransition(taxonomy, logits, order=order, rank=rank)
    a, b, c = (taxonomy.find(name) for name in "abc")
    expected = 0.0
    for level, node in ((1, a), (2, b), (3, c)):
        nodes, log_prob = levels.level_log_prob(level)
        expected -= float(log_prob[0, nodes.tolist().index(node)])
        assert float(loss(logits, torch.tensor([node]))) == pytest.approx(expected)
    assert float(loss(logits, torch.tensor([0]))) == 0.0


@every_form
@every_order
@settings(max_examples=10)
@given(taxonomy=ragged_taxonomies(), seed=st.integers(0, 99), data=st.data())
def test_the_loss_is_its_twin(rank: int | None, order: str, taxonomy: Taxonomy, seed: int, data: st.DataObject) -> None:
    finest = taxonomy.num_levels
    coarser = st.lists(st.integers(1, finest - 1), unique=True) if finest > 1 else st.just([])
    levels = [*sorted(data.draw(coarser)), finest]
    weight = data.draw(st.sampled_from([0.0, 2.0]))
    loss = LHTLoss(taxonomy, weight, tuple(levels), order, rank)
    nodes = np.arange(taxonomy.num_nodes)
    logits = 2 * np.random.default_rng(seed).standard_normal((nodes.size, loss.num_outputs))
    expected = [twin.loss(taxonomy, logits[v], int(v), levels, order, rank, weight) for v in nodes]
    np.testing.assert_allclose(loss(torch.tensor(logits), torch.tensor(nodes)), expected, rtol=1e-9, atol=1e-12)


@every_form
@every_order
def test_gradient(rank: int | None, order: str) -> None:
    loss = LHTLoss(t9(), order=order, rank=rank)
    logits = torch.randn(9, loss.num_outputs, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda z: loss(z, torch.arange(9)), logits, fast_mode=True)


def test_a_root_alone_has_nothing_to_lose() -> None:
    loss = LHTLoss(Taxonomy([-1], ["thing"]))
    logits = torch.zeros(3, 0, requires_grad=True)
    losses = loss(logits, torch.zeros(3, dtype=torch.int64))
    losses.sum().backward()
    assert losses.tolist() == [0.0, 0.0, 0.0]


def test_settings_are_checked() -> None:
    with pytest.raises(InputError, match=r"a weight of the confusion in \[0, 3.40282e\+38\], but got -1"):
        LHTLoss(t9(), -1.0)
    with pytest.raises(InputError, match="an order among f2c, c2f, but got 'up'"):
        LHTLoss(t9(), order="up")
    with pytest.raises(InputError, match="a rank of at least 1, but got 0"):
        LHTLoss(t9(), rank=0)
    with pytest.raises(InputError, match="the finest among them, but got 1, 2"):
        LHTLoss(t9(), levels=(1, 2))
