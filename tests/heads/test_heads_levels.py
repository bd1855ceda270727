"""Heads with a classifier a level: who sees what, and who teaches whom."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from cladewise import InputError, Taxonomy
from cladewise.heads import EmbeddedHead, Embedding, finer_parts_head, leaf_softmax_head, towers_head
from cladewise.losses import LevelSoftmaxLoss
from cladewise.predictions import LevelSoftmax

TREE = Taxonomy.from_paths([("a", "b", "c"), ("a", "b", "d"), ("a", "e", "f"), ("g", "h", "i")])
LONE = Taxonomy([-1], ["thing"])
SIZES = [2, 3, 4]
WIDTHS = [3, 3, 2]


def level_losses(prediction: LevelSoftmax, target: torch.Tensor) -> list[torch.Tensor]:
    """Cross-entropy of every level on its own."""
    parts = prediction.logits.split(SIZES, dim=1)
    places = [torch.tensor(TREE.at_level(k))[target] for k in (1, 2, 3)]
    nodes = [torch.tensor(TREE.level_nodes(k)) for k in (1, 2, 3)]
    return [
        nn.functional.cross_entropy(z, torch.searchsorted(v, y)) for z, v, y in zip(parts, nodes, places, strict=True)
    ]


def test_a_level_teaches_its_own_part_alone_and_sees_the_finer_ones() -> None:
    head = finer_parts_head(TREE, sum(WIDTHS))
    target = torch.tensor(TREE.leaf_nodes.copy())
    for level in range(3):
        features = torch.randn(4, sum(WIDTHS), requires_grad=True)
        (gradient,) = torch.autograd.grad(level_losses(head(features), target)[level], features)
        taught = [bool(part.any()) for part in gradient.split(WIDTHS, dim=1)]
        assert taught == [k == level for k in range(3)]
        other = torch.randn(4, sum(WIDTHS)).split(WIDTHS, dim=1)
        for part in range(3):
            pieces = list(features.detach().split(WIDTHS, dim=1))
            pieces[part] = other[part]
            before, after = head(features).logits.split(SIZES, 1), head(torch.cat(pieces, 1)).logits.split(SIZES, 1)
            assert before[level].equal(after[level]) is (part < level)


def test_every_classifier_learns_from_all_that_it_sees() -> None:
    head = finer_parts_head(TREE, sum(WIDTHS))
    sum(level_losses(head(torch.randn(4, sum(WIDTHS))), torch.tensor(TREE.leaf_nodes.copy()))).backward()
    for layer in head.classifiers:
        assert isinstance(layer, nn.Linear)
        assert layer.weight.grad is not None
        assert layer.weight.grad.any(0).all()


def test_towers_are_one_a_level() -> None:
    head = towers_head(TREE, lambda size: nn.Linear(5, size))
    features = torch.randn(4, 3, 5, requires_grad=True)
    losses = level_losses(head(features), torch.tensor(TREE.leaf_nodes.copy()))
    for level, loss in enumerate(losses):
        (gradient,) = torch.autograd.grad(loss, features, retain_graph=True)
        assert gradient.any(2).any(0).tolist() == [k == level for k in range(3)]


def test_levels_that_a_label_does_not_speak_of_learn_nothing() -> None:
    target = torch.tensor([TREE.find("a"), TREE.find("g")])
    for head, width in ((finer_parts_head(TREE, 8), 8), (towers_head(TREE, lambda size: nn.Linear(5, size)), 5)):
        LevelSoftmaxLoss(TREE)(head(torch.randn(2, width)).logits, target).sum().backward()
        grads = [layer.weight.grad for layer in head.classifiers]  # type: ignore[union-attr]
        assert [bool(g.any()) for g in grads] == [True, False, False]  # type: ignore[union-attr]


def test_a_root_alone_has_no_classifier() -> None:
    for head in (finer_parts_head(LONE, 4), towers_head(LONE, lambda size: nn.Linear(4, size))):
        assert head(torch.zeros(3, 4)).logits.shape == (3, 0)
        assert head(torch.zeros(3, 4)).log_prob.tolist() == [[0.0]] * 3


def test_a_head_on_an_embedding() -> None:
    embedding, head = Embedding(6, 7), leaf_softmax_head(TREE, 7)
    both = EmbeddedHead(embedding, head).eval()
    features = torch.randn(5, 6)
    assert both(features).logits.equal(head(embedding(features)).logits)


def test_fewer_features_than_levels_are_refused() -> None:
    with pytest.raises(InputError, match="an embedding of at least 3 numbers, 1 a level, but got 2"):
        finer_parts_head(TREE, 2)
