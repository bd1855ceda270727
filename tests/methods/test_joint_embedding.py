"""Labels and images in one space: what the head learns beside images, from what it begins, and what moves it."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from cladewise import InputError, Taxonomy, embeddings, geometry, methods
from cladewise.embeddings import reconstruction
from cladewise.embeddings.cones import LONGEST_STEP
from cladewise.heads.energy import EnergyHead
from cladewise.methods.joint_embedding import JointEmbeddingMethod

TREE = Taxonomy.from_paths([*itertools.product("ab", "cd", "ef"), ("g", "h"), ("i",)])
NAMES = ("order-embedding", "euclidean-cones", "hyperbolic-cones")
EVERY_ONE = pytest.mark.parametrize("name", NAMES)
FEATURES = 6


def head_of(name: str, taxonomy: Taxonomy = TREE, **options: Any) -> EnergyHead:
    torch.manual_seed(0)
    head = methods.make(name, **{"dim": 5, **options}).head(taxonomy, FEATURES)
    assert isinstance(head, EnergyHead)
    return head


@EVERY_ONE
@pytest.mark.parametrize("rsgd", [False, True])
def test_energies_are_those_of_the_vectors(name: str, rsgd: bool) -> None:
    head, features = head_of(name, rsgd=rsgd, label_rate=3.0), torch.randn(7, FEATURES)
    labels, images = head.label_vectors(), head.image_vectors(features)
    wanted = head.geometry.energy(labels, images[:, None])
    torch.testing.assert_close(head(features).logits, -wanted, atol=1e-5, rtol=1e-5)
    for vectors in (labels, images):
        torch.testing.assert_close(head.geometry.settled(vectors), vectors, atol=1e-4, rtol=0)


@pytest.mark.parametrize("name", embeddings.available())
@settings(max_examples=10)
@given(st.integers(0, 999), st.integers(1, 6), st.sampled_from([0.01, 0.3, 1.0]))
def test_free_vectors_are_placed_in_the_domain_and_found_again(name: str, seed: int, dim: int, length: float) -> None:
    made = embeddings.make(name)
    free = length * torch.randn(4, dim, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    placed = made.placed(free)
    torch.testing.assert_close(made.freed(placed), free, atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(
        torch.nn.functional.normalize(placed, dim=1), torch.nn.functional.normalize(free, dim=1), atol=1e-9, rtol=0
    )
    if name != "order":
        assert (placed.norm(dim=1) >= geometry.inner_radius(curvature=made.curvature)).all()
    nowhere = torch.zeros(1, dim, dtype=torch.float64, requires_grad=True)
    made.placed(nowhere).sum().backward()
    assert nowhere.grad is not None
    assert nowhere.grad.isfinite().all()


@EVERY_ONE
def test_labels_learn_the_tree_without_an_image(name: str) -> None:
    head = head_of(name, margin=0.3, dim=8, image_share=0.0)
    optimizer = torch.optim.Adam([head.points], lr=0.05)

    def f1() -> float:
        return reconstruction(TREE, head.geometry, head.label_vectors().detach()).f1

    before = f1()
    for _ in range(60):
        loss = head.own_loss()
        assert loss is not None
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert f1() > max(0.75, before)


def test_what_images_have_no_part_in_can_be_left_out() -> None:
    assert head_of("euclidean-cones", label_weight=0.0).own_loss() is None
    star = Taxonomy.from_paths([("a",), ("b",)])
    head = head_of("euclidean-cones", star)
    assert head.own_loss() is None
    before = head.points.detach().clone()
    head.begin(0)  # no edge between labels: nothing to begin from
    assert head.points.equal(before)


@EVERY_ONE
def test_labels_begin_from_an_embedding_of_their_own(name: str) -> None:
    head, again, other = (head_of(name, label_epochs=4, rsgd=rsgd) for rsgd in (False, False, True))
    for each in (head, again, other):
        each.begin(3)
    space = embeddings.embed(TREE, geometry=head.geometry, dim=5, closure=1.0, epochs=4, seed=3, progress=False)
    torch.testing.assert_close(head.label_vectors(), space.vectors, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(other.label_vectors(), space.vectors, atol=1e-5, rtol=1e-4)
    assert head.points.equal(again.points)
    random = head_of(name, labels="random")
    before = random.points.detach().clone()
    random.begin(3)
    assert random.points.equal(before)


def after_a_step(head: EnergyHead, lr: float) -> tuple[Tensor, Tensor]:
    """Parameters of the labels before and after a step of the engine's, and of the head's own."""
    optimizer = torch.optim.SGD(head.parameters(), lr=lr)
    before = head.points.detach().clone()
    method = methods.make("hyperbolic-cones", dim=5)
    loss = method.loss(TREE)(head(torch.randn(4, FEATURES)).logits, torch.arange(4)).mean()
    loss.backward()
    head.own_step(lr)
    optimizer.step()
    return before, head.points.detach()


def test_riemannian_steps_are_the_heads_own() -> None:
    head = head_of("hyperbolic-cones", rsgd=True, label_rate=0.5)
    twin = head_of("hyperbolic-cones", rsgd=True, label_rate=0.5)
    torch.manual_seed(1)
    before, moved = after_a_step(head, 0.1)
    torch.manual_seed(1)
    loss = methods.make("hyperbolic-cones", dim=5).loss(TREE)(twin(torch.randn(4, FEATURES)).logits, torch.arange(4))
    loss.mean().backward()
    twin.geometry.descent(twin.points, 0.05).step()
    torch.testing.assert_close(moved, twin.geometry.settled(twin.points.detach()))
    assert head.points.grad is None
    assert not moved.equal(before)
    assert geometry.distance(moved, before).max() <= LONGEST_STEP + 1e-4


def test_what_it_refuses() -> None:
    for options, text in (
        ({"image_share": 1.5}, r"Expected a share from 0 to 1, but got 1\.5 at image_share"),
        ({"dim": 0}, "Expected at least 1, but got 0 at dim"),
        ({"label_rate": 0.0}, r"Expected a rate above 0, but got 0\.0 at label_rate"),
    ):
        with pytest.raises(InputError, match=text):
            methods.make("euclidean-cones", **options)


@EVERY_ONE
def test_it_trains_with_adam_unless_told_otherwise(name: str) -> None:
    method = methods.make(name)
    assert isinstance(method, JointEmbeddingMethod)
    assert method.training()["optimizer"] == "adam"
    assert methods.make("hace").training() == {}
