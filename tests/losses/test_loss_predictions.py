"""A loss names its prediction: where the loss is a cross-entropy, it is the prediction's."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from cladewise import Taxonomy, losses
from cladewise.losses import LevelSoftmaxLoss, Loss
from cladewise.objectives import ProbedLoss, SupConLoss
from cladewise.ops import ancestors, at_levels, speaks
from cladewise.predictions import LevelSoftmax, Prediction

TREE = Taxonomy.from_paths([("a", "b", "c"), ("a", "b", "d"), ("a", "e"), ("f", "g", "h", "i"), ("j",)])
NODES = torch.arange(TREE.num_nodes)
LEAVES = torch.tensor(TREE.leaf_nodes.copy())
Case = tuple[Callable[[Taxonomy], Loss], Callable[[Prediction, Tensor], Tensor], Tensor]


def surprise(prediction: Prediction, target: Tensor) -> Tensor:
    return -prediction.log_prob.gather(1, target[:, None])[:, 0]


def surprise_by_level(prediction: Prediction, target: Tensor) -> Tensor:
    """Summed over the levels that the label says something about."""
    total = torch.zeros(len(target), dtype=prediction.log_prob.dtype)
    for level, node, counts in zip(range(1, 5), at_levels(target, TREE).T, speaks(target, TREE).T, strict=True):
        nodes, log_prob = prediction.level_log_prob(level)
        own = (log_prob * (nodes == node[:, None])).sum(1)
        total = total - torch.where(counts, own, 0.0)
    return total


def binary(prediction: Prediction, target: Tensor) -> Tensor:
    """Binary cross-entropy of every node but the root, averaged."""
    yes = torch.zeros(len(target), TREE.num_nodes).scatter(1, ancestors(target, TREE).clamp_min(0), 1.0)[:, 1:]
    prob = prediction.log_prob.exp()[:, 1:]
    return torch.nn.functional.binary_cross_entropy(prob, yes.to(prob.dtype), reduction="none").mean(1)


CROSS_ENTROPIES: dict[str, Case] = {
    "flat": (losses.FlatSoftmaxLoss, surprise, NODES),
    "dual margins of 0": (lambda t: losses.DualMarginLoss(t, margin=0.0), surprise, NODES),
    "ps": (losses.PSSoftmaxLoss, surprise, NODES),
    "conditional": (losses.ConditionalSoftmaxLoss, surprise, NODES),
    "hxe": (lambda t: losses.HXELoss(t, 0.0), surprise, NODES),
    "hxe conditional": (lambda t: losses.HXELoss(t, 0.0, logits="conditional"), surprise, NODES),
    "hace": (lambda t: losses.HACELoss(t, 1.0), surprise, NODES[1:]),
    "hace with root": (lambda t: losses.HACELoss(t, 1.0, with_root=True), surprise, NODES),
    "hace of leaves": (lambda t: losses.HACELoss(t, 1.0, domain="leaves"), surprise, NODES),
    "hace soft": (lambda t: losses.HACESoftLoss(t, 1.0, math.inf), surprise, LEAVES),
    "soft labels": (lambda t: losses.SoftLabelLoss(t, math.inf), surprise, LEAVES),
    "margin": (lambda t: losses.SoftMaxMarginLoss(t, 0.0), surprise, LEAVES),
    "marginal": (losses.MarginalSoftmaxLoss, surprise_by_level, NODES),
    "levels": (losses.LevelSoftmaxLoss, surprise_by_level, NODES),
    "levels tied": (lambda t: LevelSoftmaxLoss(t, tied=True), surprise_by_level, NODES),
    "levels adjusted": (lambda t: losses.LogitAdjustedLoss(LevelSoftmaxLoss(t)), surprise_by_level, NODES),
    "tree paths": (lambda t: losses.TreePathLoss(t, path_weight=0.0), surprise_by_level, NODES),
    "transitions": (lambda t: losses.LHTLoss(t, 0.0), surprise_by_level, NODES),
    "transitions from coarse": (lambda t: losses.LHTLoss(t, 0.0, order="c2f", rank=2), surprise_by_level, NODES),
    "soft margin": (losses.MultilabelSoftMarginLoss, binary, LEAVES),
}


@pytest.mark.parametrize("kind", CROSS_ENTROPIES)
def test_a_cross_entropy_is_that_of_the_prediction(kind: str) -> None:
    make, expected, target = CROSS_ENTROPIES[kind]
    loss = make(TREE)
    logits = 3 * torch.randn(
        len(target), loss.num_outputs, dtype=torch.float64, generator=torch.Generator().manual_seed(0)
    )
    prediction = loss.prediction(logits)
    assert prediction.logits is logits
    torch.testing.assert_close(loss(logits, target), expected(prediction, target))


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (losses.ConditionalSigmoidLoss, "ConditionalSigmoid"),
        (losses.DeepRTCLoss, "PathSumSigmoid"),
        (losses.DescendantSoftmaxLoss, "NodeSoftmax"),
        (losses.HierCOSLoss, "SubspaceNorms"),
        (losses.MultilabelFocalLoss, "NodeSigmoid"),
        (lambda t: losses.MaxMarginEnergyLoss(t, temperature=0.3), "LevelEnergies"),
        (losses.ImageTextContrastLoss, "LevelSoftmax"),
    ],
)
def test_other_losses_name_the_prediction_of_their_method(make: Callable[[Taxonomy], Loss], kind: str) -> None:
    loss = make(TREE)
    prediction = loss.prediction(torch.zeros(2, loss.num_outputs))
    assert type(prediction).__name__ == kind
    assert prediction.log_prob.shape == (2, TREE.num_nodes)
    assert getattr(prediction, "temperature", 0.3) == 0.3


def test_a_prediction_does_not_see_how_frequent_labels_are() -> None:
    counts = torch.tensor([0, 3, 1, 4, 1, 5, 9, 2, 6, 5, 3])
    plain = losses.LogitAdjustedLoss(LevelSoftmaxLoss(TREE))
    logits, target = torch.randn(len(NODES), plain.num_outputs), NODES
    adjusted = plain.for_labels(counts)
    assert not torch.allclose(adjusted(logits, target), plain(logits, target))
    torch.testing.assert_close(adjusted.prediction(logits).log_prob, plain.prediction(logits).log_prob)


def test_a_probed_loss_predicts_by_its_probes() -> None:
    loss = ProbedLoss(SupConLoss(TREE, 7), LevelSoftmaxLoss(TREE, (1, 4)))
    logits = torch.randn(3, loss.num_outputs)
    prediction = loss.prediction(logits)
    torch.testing.assert_close(prediction.embedding, logits[:, -7:])
    torch.testing.assert_close(prediction.log_prob, LevelSoftmax(TREE, logits[:, :-7], (1, 4)).log_prob)


def test_every_exported_loss_is_covered() -> None:
    exported = {name for name in losses.__all__ if name.endswith("Loss")} - {"Loss"}
    made = {type(make(TREE)).__name__ for make, _, _ in CROSS_ENTROPIES.values()}
    others = {"ConditionalSigmoidLoss", "DeepRTCLoss", "DescendantSoftmaxLoss", "HierCOSLoss", "MultilabelFocalLoss"}
    assert exported == made | others | {"MaxMarginEnergyLoss", "ImageTextContrastLoss"}
