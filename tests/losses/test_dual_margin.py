"""Dual margins: golden values, a slow twin, what they generalise, and extreme scores."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cladewise import InputError, Taxonomy
from cladewise.losses import DualMarginLoss, FlatSoftmaxLoss, LogitAdjustedLoss, dual_margin_loss, flat_softmax_loss
from cladewise.taxonomy.leaf_counts import images_by_leaf
from strategies import taxonomies

TREE = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])


def slow(scores: np.ndarray, target: int, margin: np.ndarray, t: Taxonomy, rival: float) -> float:
    """Leaf by leaf, in probability space."""
    inside = outside = 0.0
    for place, leaf in enumerate(t.leaf_nodes.tolist()):
        mine = bool(t.contains(np.array([target]), np.array([leaf]))[0])
        if mine:
            inside += math.exp(scores[place] - margin[place])
        else:
            outside += math.exp(scores[place] - rival * margin[place])
    return -math.log(inside / (inside + outside))


@given(taxonomies(), st.integers(0, 2**32 - 1), st.sampled_from([0.0, 0.5, 1.0, 2.0]))
def test_twin(tree: Taxonomy, seed: int, rival: float) -> None:
    random = np.random.default_rng(seed)
    scores, margin = random.normal(size=(4, tree.num_leaves)), random.uniform(0, 3, tree.num_leaves)
    target = random.integers(tree.num_nodes, size=4)
    found = dual_margin_loss(
        torch.from_numpy(scores), torch.from_numpy(target), torch.from_numpy(margin), tree, rival=rival
    )
    wanted = [slow(row, int(node), margin, tree, rival) for row, node in zip(scores, target, strict=True)]
    assert found.tolist() == pytest.approx(wanted, abs=1e-9)


def test_golden_margins_and_losses() -> None:
    # n = 81 and 16, power 1/4: n^-1/4 = 1/3 and 1/2, so that 16 images have the margin 0.6 and 81 have 0.6 · 2/3
    two = Taxonomy.from_paths([("a",), ("b",)])
    loss = DualMarginLoss(two, scale=10.0, margin=0.6).for_labels(torch.tensor([0, 81, 16]))
    assert isinstance(loss, DualMarginLoss)
    assert loss._margin.tolist() == pytest.approx([4.0, 6.0])
    nats = loss(torch.tensor([[3.0, 3.0], [3.0, 3.0]]), torch.tensor([1, 2]))
    assert nats.tolist() == pytest.approx([math.log1p(math.exp(-2.0)), math.log1p(math.exp(2.0))])


def test_golden_gradient_of_rivals_falls_by_the_difference_of_margins() -> None:
    two = Taxonomy.from_paths([("a",), ("b",)])
    margin = torch.tensor([1.0, 3.0], dtype=torch.float64)
    target, scores = torch.tensor([1]), torch.zeros(1, 2, dtype=torch.float64, requires_grad=True)
    dual_margin_loss(scores, target, margin, two).sum().backward()
    # the rare b, which is not the label, is pushed away with p = e^(m_a - m_b) / (1 + e^(m_a - m_b))
    assert scores.grad is not None
    assert scores.grad[0, 1].item() == pytest.approx(math.exp(-2) / (1 + math.exp(-2)))


@given(taxonomies(), st.integers(0, 2**32 - 1))
def test_equal_margins_on_all_leaves_cancel_and_none_is_the_flat_softmax(tree: Taxonomy, seed: int) -> None:
    random = torch.Generator().manual_seed(seed)
    scores = torch.randn(5, tree.num_leaves, generator=random, dtype=torch.float64)
    target = torch.randint(tree.num_nodes, (5,), generator=random)
    flat = FlatSoftmaxLoss(tree)(scores, target)
    for loss in (DualMarginLoss(tree, power=0.0), DualMarginLoss(tree, margin=0.0, rival=0.3), DualMarginLoss(tree)):
        assert torch.allclose(loss(scores, target), flat, atol=1e-9)


@given(taxonomies(), st.integers(0, 2**32 - 1))
def test_margins_that_are_logarithms_of_frequencies_are_the_balanced_softmax(tree: Taxonomy, seed: int) -> None:
    random = np.random.default_rng(seed)
    counts = torch.from_numpy(random.integers(0, 50, tree.num_nodes))
    scores = torch.from_numpy(random.normal(size=(5, tree.num_leaves)))
    target = torch.from_numpy(random.integers(tree.num_nodes, size=5))
    margin = -torch.from_numpy(np.log(images_by_leaf(counts.numpy(), tree)))
    adjusted = LogitAdjustedLoss(FlatSoftmaxLoss(tree)).for_labels(counts)
    assert torch.allclose(adjusted(scores, target), dual_margin_loss(scores, target, margin, tree), atol=1e-5)


def test_golden_balanced_softmax_with_a_label_at_an_inner_node() -> None:
    # four images of a itself count two for b and two for c: 8, 2 and 1 images
    loss = LogitAdjustedLoss(FlatSoftmaxLoss(TREE)).for_labels(torch.tensor([0, 4, 6, 0, 1]))
    nats = loss(torch.zeros(4, 3), torch.tensor([2, 3, 4, 1]))
    assert nats.exp().tolist() == pytest.approx([11 / 8, 11 / 2, 11, 11 / 10])


@given(taxonomies(), st.sampled_from([0.0, 1.0, 4.0]), st.sampled_from([1e4, -1e4]))
def test_finite_for_extreme_scores(tree: Taxonomy, rival: float, size: float) -> None:
    scores = torch.zeros(tree.num_nodes, tree.num_leaves)
    scores[:, 0] = size
    scores.requires_grad_()
    counts = torch.arange(tree.num_nodes) ** 3
    loss = DualMarginLoss(tree, margin=2.0, rival=rival).for_labels(counts)(scores, torch.arange(tree.num_nodes))
    (grad,) = torch.autograd.grad(loss.sum(), scores)
    assert loss.isfinite().all()
    assert grad.isfinite().all()
    assert (loss >= -1e-3).all()


def test_the_root_says_nothing_and_the_prediction_has_no_margin() -> None:
    loss = DualMarginLoss(TREE).for_labels(torch.tensor([0, 0, 100, 1, 10]))
    scores = torch.tensor([[1.0, 2.0, 3.0]])
    assert loss(scores, torch.tensor([0])).item() == 0
    assert torch.equal(loss.prediction(scores).log_prob, FlatSoftmaxLoss(TREE).prediction(scores).log_prob)
    assert (loss(scores, torch.tensor([3])) > flat_softmax_loss(scores, torch.tensor([3]), TREE)).all()


@pytest.mark.parametrize(
    ("option", "value"), [("scale", 0.0), ("scale", math.nan), ("margin", -0.1), ("power", 5.0), ("rival", -1.0)]
)
def test_options_out_of_range_are_refused(option: str, value: float) -> None:
    with pytest.raises(InputError):
        DualMarginLoss(TREE, **{option: value})
