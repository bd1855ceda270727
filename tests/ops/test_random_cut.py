"""Cuts that are drawn with their probability, and the likelihood under them."""

from __future__ import annotations

import math

import pytest
import torch

from cladewise.ops.random_cut import FINE, random_cut_nll, random_drops
from cladewise.taxonomy import Taxonomy

RAGGED = Taxonomy.from_paths([("a", "b", "c"), ("a", "b", "d"), ("a", "e"), ("f", "g", "h", "i"), ("j",)])
CPU = torch.device("cpu")
IMAGES = 40_000
INNER = torch.tensor([v - 1 for v in range(1, RAGGED.num_nodes) if not RAGGED.is_leaf[v]])
LEAVES = torch.tensor(RAGGED.leaf_nodes) - 1


@pytest.mark.parametrize("rho", [FINE / 2, 0.1, 0.5, 0.7])
def test_nodes_are_dropped_independently_with_their_probability(rho: float) -> None:
    torch.manual_seed(0)
    dropped = random_drops(IMAGES, RAGGED, rho, CPU)
    assert not dropped[:, LEAVES].any()
    inner = dropped[:, INNER].double()
    error = math.sqrt(rho * (1 - rho) / IMAGES)
    assert ((inner.mean(0) - rho).abs() < 4.5 * error).all()
    joint = inner.mT @ inner / IMAGES  # of two nodes, and of neighbours in an image and the next
    next_image = inner[1:, 0] @ inner[:-1, -1] / IMAGES
    pair_error = math.sqrt(rho**2 * (1 - rho**2) / IMAGES)
    off = ~torch.eye(len(INNER), dtype=torch.bool)
    assert ((joint[off] - rho**2).abs() < 5 * pair_error + 1e-12).all()
    assert abs(float(next_image) - rho**2) < 5 * pair_error


def test_certain_outcomes_are_certain() -> None:
    for rho, expected in ((0.0, False), (1.0, True)):
        dropped = random_drops(7, RAGGED, rho, CPU)
        assert (dropped[:, INNER] == expected).all()
        assert not dropped[:, LEAVES].any()


def test_trees_without_inner_nodes_and_batches_of_nothing() -> None:
    star, lonely = Taxonomy.from_paths([("a",), ("b",)]), Taxonomy.from_parents([-1], ["x"])
    assert random_drops(3, star, 0.5, CPU).tolist() == [[False, False]] * 3
    assert random_drops(3, lonely, 0.5, CPU).shape == (3, 0)
    assert random_drops(0, RAGGED, 0.5, CPU).shape == (0, RAGGED.num_nodes - 1)
    assert random_cut_nll(
        torch.zeros(2, 0), torch.zeros(2, dtype=torch.int64), lonely, torch.zeros(2, 0, dtype=torch.bool)
    ).tolist() == [0.0, 0.0]


@pytest.mark.usefixtures("arithmetic")
@pytest.mark.parametrize("rho", [0.0, 0.4, 1.0])
def test_gradient_through_a_cut(rho: float) -> None:
    torch.manual_seed(1)
    target = torch.arange(RAGGED.num_nodes).repeat(2)
    dropped = random_drops(len(target), RAGGED, rho, CPU)
    scores = torch.randn(dropped.shape, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: random_cut_nll(x, target, RAGGED, dropped), scores, fast_mode=True)


@pytest.mark.usefixtures("arithmetic")
@pytest.mark.parametrize("value", [1e4, -1e4])
def test_large_scores_stay_finite(value: float) -> None:
    target = torch.arange(RAGGED.num_nodes)
    dropped = random_drops(len(target), RAGGED, 0.3, CPU)
    scores = (value * torch.eye(RAGGED.num_nodes)[:, 1:]).requires_grad_()
    out = random_cut_nll(scores, target, RAGGED, dropped)
    out.sum().backward()
    assert out.isfinite().all()
    assert scores.grad is not None
    assert scores.grad.isfinite().all()


@pytest.mark.usefixtures("arithmetic")
def test_an_image_is_computed_alike_whatever_is_beside_it() -> None:
    torch.manual_seed(2)
    target = torch.arange(RAGGED.num_nodes).repeat(8)  # more images than go through the tree together
    dropped = torch.rand(len(target), RAGGED.num_nodes - 1) < 0.3
    scores = torch.randn(dropped.shape, requires_grad=True)
    together = random_cut_nll(scores, target, RAGGED, dropped)
    (grad,) = torch.autograd.grad(together.square().sum(), scores)
    for image in range(len(target)):
        one = slice(image, image + 1)
        row = scores[one].detach().requires_grad_()
        alone = random_cut_nll(row, target[one], RAGGED, dropped[one])
        (own,) = torch.autograd.grad(alone.square().sum(), row)
        torch.testing.assert_close(alone, together[one])
        torch.testing.assert_close(own, grad[one])
