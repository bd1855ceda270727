"""A softmax over label vectors that entail one another: its scores, what each part trains, and what both reach."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch

from cladewise import InputError, Taxonomy, methods
from cladewise.embeddings import reconstruction
from cladewise.heads import JointSoftmaxHead

TREE = Taxonomy.from_paths([*itertools.product("ab", "cd", "ef"), ("g", "h"), ("i",)])
FEATURES = 6


def head_of(taxonomy: Taxonomy = TREE, **options: Any) -> JointSoftmaxHead:
    torch.manual_seed(0)
    head = methods.make("joint-softmax", **{"dim": 8, **options}).head(taxonomy, FEATURES)
    assert isinstance(head, JointSoftmaxHead)
    return head


@pytest.mark.parametrize("geometry", ["hyperbolic", "euclidean", "order"])
def test_scores_are_similarities_to_the_leaves_vectors(geometry: str) -> None:
    features = torch.randn(5, FEATURES)
    for similarity in ("cosine", "energy"):
        head = head_of(geometry=geometry, similarity=similarity, scale=4.0)
        labels, images = (x.detach().numpy() for x in (head.label_vectors(), head.image_vectors(features)))
        leaves = [labels[node - 1] for node in TREE.leaf_nodes]
        for image, found in zip(images, head(features).logits.detach().numpy(), strict=True):
            if similarity == "cosine":
                wanted = [leaf @ image / np.linalg.norm(leaf) / np.linalg.norm(image) for leaf in leaves]
            else:
                wanted = [-head.geometry.energy(*map(torch.from_numpy, (leaf, image))).item() for leaf in leaves]
            np.testing.assert_allclose(found, 4.0 * np.array(wanted), atol=1e-4)


def test_images_move_leaves_and_the_tree_moves_all_labels() -> None:
    head = head_of()
    target = torch.tensor(TREE.leaf_nodes[:1].copy())
    loss = methods.make("joint-softmax").loss(TREE)
    loss(head(torch.randn(1, FEATURES)).logits, target).sum().backward()
    moved = head.points.grad
    assert moved is not None
    assert (moved.abs().sum(1) > 0).tolist() == [bool(TREE.is_leaf[node]) for node in range(1, TREE.num_nodes)]
    head.zero_grad()
    for _ in range(5):  # edges are sampled
        own = head.own_loss()
        assert own is not None
        own.backward()
    tree_moved = head.points.grad
    assert tree_moved is not None
    inner = torch.tensor(np.flatnonzero(~TREE.is_leaf[1:]))
    assert len(inner) == 7
    assert (tree_moved[inner].abs().sum(1) > 0).all()
    assert head_of(label_weight=0.0).own_loss() is None


@pytest.mark.parametrize("geometry", ["hyperbolic", "euclidean"])
def test_it_learns_images_and_the_tree_at_once(geometry: str) -> None:
    head = head_of(geometry=geometry, margin=0.3)
    loss = methods.make("joint-softmax").loss(TREE)
    generator = torch.Generator().manual_seed(1)
    target = torch.tensor(TREE.leaf_nodes.copy())
    features = torch.randn(len(target), FEATURES, generator=generator)
    optimizer = torch.optim.Adam(head.parameters(), lr=0.02)
    for _ in range(150):
        own = head.own_loss()
        assert own is not None
        optimizer.zero_grad()
        (loss(head(features).logits, target).mean() + own).backward()
        optimizer.step()
    assert head(features).best_leaf().node.tolist() == target.tolist()
    assert reconstruction(TREE, head.geometry, head.label_vectors().detach()).f1 > 0.75


def test_the_label_space_is_that_of_the_head() -> None:
    head = head_of(geometry="euclidean", aperture=0.2, label_rate=0.5)
    method = methods.make("joint-softmax", dim=8, geometry="euclidean", aperture=0.2, label_rate=0.5)
    space = method.label_space(TREE, lambda name: head.state_dict()[name])
    assert space is not None
    torch.testing.assert_close(space.vectors, head.label_vectors().detach())
    assert space.geometry == head.geometry


def test_the_scale_is_bounded_and_reported() -> None:
    head = head_of(scale=50.0)
    assert head.state()["scale"] == pytest.approx(50.0)
    with torch.no_grad():
        head.log_scale.fill_(9.0)
    assert head.state()["scale"] == pytest.approx(100.0)
    assert head(torch.randn(3, FEATURES)).logits.abs().max() <= 100.001


def test_a_tree_of_a_single_node_and_trees_without_edges() -> None:
    star = Taxonomy.from_paths([("a",), ("b",)])
    assert head_of(star).own_loss() is None
    assert head_of(star)(torch.randn(2, FEATURES)).logits.shape == (2, 2)


def test_what_it_refuses() -> None:
    for options, text in (
        ({"dim": 0}, "Expected at least 1, but got 0 at dim"),
        ({"label_rate": 0.0}, r"Expected a rate above 0, but got 0\.0 at label_rate"),
        ({"margin": -1.0}, r"Expected at least 0, but got -1\.0 at margin"),
    ):
        with pytest.raises(InputError, match=text):
            methods.make("joint-softmax", **options)
    with pytest.raises(InputError, match=r"Expected a scale in \(0, 100\], but got 0\.0"):
        head_of(scale=0.0)
