"""Prototypes compared by cosine: golden scores, lengths that do not matter, and features of length 0."""

from __future__ import annotations

import pytest
import torch

from cladewise import InputError, Taxonomy
from cladewise.heads import CosineHead
from cladewise.predictions import LeafSoftmax

TREE = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])


def head_of(scale: float = 10.0) -> CosineHead:
    head = CosineHead(2, TREE.num_leaves, lambda scores: LeafSoftmax(TREE, scores), scale=scale)
    with torch.no_grad():
        head.prototypes.copy_(torch.tensor([[3.0, 0.0], [0.0, 0.5], [-1.0, -1.0]]))
    return head


def test_scores_are_cosines_times_the_scale_whatever_the_lengths() -> None:
    features = torch.tensor([[3.0, 4.0], [0.003, 0.004], [3e4, 4e4]])
    found = head_of()(features).logits
    assert torch.allclose(found, torch.tensor([[6.0, 8.0, -7 * 2**0.5]]).expand(3, 3), atol=1e-4)


def test_features_of_length_zero_have_even_scores_and_finite_gradients() -> None:
    head = head_of()
    features = torch.zeros(1, 2, requires_grad=True)
    scores = head(features).logits
    scores.sum().backward()
    assert scores.tolist() == [[0.0, 0.0, 0.0]]
    assert features.grad is not None
    assert features.grad.isfinite().all()
    assert head.prototypes.grad is not None
    assert head.prototypes.grad.isfinite().all()


def test_every_prototype_is_the_row_of_its_leaf() -> None:
    assert head_of().rows()["prototypes"][:, 0].tolist() == TREE.leaf_nodes.tolist()


def test_a_scale_of_zero_is_refused() -> None:
    with pytest.raises(InputError, match="a scale above 0"):
        head_of(scale=0.0)
