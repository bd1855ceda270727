"""Weighted log-masses of all nodes against their formula, on any tree, any label and scores of any range."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor

from cladewise import ops
from cladewise.losses import HACESoftLoss
from cladewise.losses.hace_soft import dilute
from cladewise.ops.log_mass import RingWeights, ring_log_mass
from cladewise.ops.path import Domain
from cladewise.ops.rings import path_to
from cladewise.taxonomy import Taxonomy
from reference import trees as reference
from reference.laws import case
from strategies import taxonomies_with_nodes

pytestmark = pytest.mark.usefixtures("arithmetic")

DOMAINS: dict[Domain, str] = {"leaves": "num_leaves", "nodes": "num_nodes", "nodes-without-root": "num_nodes"}
RAGGED = Taxonomy.from_paths([("a", "b", "c"), ("a", "b", "d"), ("a", "e"), ("f", "g", "h", "i"), ("j",)])


def width(taxonomy: Taxonomy, domain: Domain) -> int:
    return getattr(taxonomy, DOMAINS[domain]) - (domain == "nodes-without-root")


def weights_for(taxonomy: Taxonomy, target: Tensor, num_patterns: int = 2) -> RingWeights:
    path = path_to(target, taxonomy)
    generator = torch.Generator().manual_seed(1)

    def some(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=generator, dtype=torch.float64)

    on_path = some(*path.shape) * torch.tensor(taxonomy.depth)[target, None].ge(torch.arange(path.shape[1]))
    return RingWeights(path, some(*path.shape, num_patterns), some(num_patterns, taxonomy.num_nodes), on_path)


def by_formula(taxonomy: Taxonomy, scores: Tensor, target: Tensor, weights: RingWeights, domain: Domain) -> list[float]:
    """Node by node: the deepest ancestor that it shares with the target names its ring."""
    found: list[float] = []
    for image, row in enumerate(scores.detach().numpy()):
        if domain == "leaves":
            log_mass = reference.leaf_logsumexp(taxonomy, row)
        else:
            full = row if domain == "nodes" else np.concatenate([[-np.inf], row])
            log_mass = reference.subtree_logsumexp(taxonomy, full)
        label, total = int(target[image]), 0.0
        last = taxonomy.max_depth  # the place of the label itself, however deep it is
        for v in range(taxonomy.num_nodes):
            meeting = reference.lca(taxonomy, v, label)
            ring = last if meeting == label else int(taxonomy.depth[meeting])
            weight = float(weights.by_ring[image, ring] @ weights.patterns[:, v])
            if v in reference.path(taxonomy, label):
                weight += float(weights.on_path[image, int(taxonomy.depth[v])])
            total += weight * float(log_mass[v] - log_mass[0])
        found.append(total)
    return found


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tree=taxonomies_with_nodes(max_nodes=14, max_batch=3), seed=st.integers(0, 99))
def test_weighted_log_masses_are_those_of_the_formula(tree: tuple[Taxonomy, list[int]], seed: int) -> None:
    taxonomy, nodes = tree
    target = torch.tensor(nodes)
    for domain in DOMAINS:
        if width(taxonomy, domain) == 0:
            continue
        for scale in (1.0, 60.0):
            for num_patterns in (1, 2):
                with case(f"{domain}, scale {scale}, {num_patterns} patterns"):
                    generator = torch.Generator().manual_seed(seed)
                    scores = torch.randn(len(nodes), width(taxonomy, domain), generator=generator, dtype=torch.float64)
                    weights = weights_for(taxonomy, target, num_patterns)
                    expected = by_formula(taxonomy, scale * scores, target, weights, domain)
                    found = ring_log_mass(scale * scores, weights, taxonomy, domain)
                    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("domain", DOMAINS)
def test_gradient_of_weighted_log_masses(domain: Domain) -> None:
    target = torch.arange(RAGGED.num_nodes)
    scores = torch.randn(RAGGED.num_nodes, width(RAGGED, domain), dtype=torch.float64)
    scores[::3] *= 50  # a range that plain sums do not take
    weights = weights_for(RAGGED, target)
    assert torch.autograd.gradcheck(
        lambda x: ring_log_mass(x, weights, RAGGED, domain), scores.requires_grad_(), fast_mode=True
    )


@pytest.mark.parametrize("value", [1e4, -1e4])
def test_large_scores_give_finite_losses_and_gradients(value: float) -> None:
    target = torch.arange(RAGGED.num_nodes)
    scores = torch.zeros(RAGGED.num_nodes, RAGGED.num_nodes)
    scores[torch.arange(len(target)), torch.arange(len(target))] = value
    scores.requires_grad_()
    out = ring_log_mass(scores, weights_for(RAGGED, target), RAGGED)
    out.sum().backward()
    assert out.isfinite().all()
    assert scores.grad is not None
    assert scores.grad.isfinite().all()


def test_an_image_is_computed_alike_whatever_is_beside_it() -> None:
    target = torch.arange(RAGGED.num_nodes).repeat(3)
    scores = torch.randn(len(target), RAGGED.num_nodes)
    scores[::5] *= 60
    weights = weights_for(RAGGED, target)
    together = ring_log_mass(scores, weights, RAGGED)
    for image in range(len(target)):
        one = torch.tensor([image])
        alone = ring_log_mass(scores[one], weights.of(one), RAGGED)
        torch.testing.assert_close(alone, together[one], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("domain", DOMAINS)
def test_images_of_any_range_in_one_batch_are_those_of_the_formula_in_double_precision(domain: Domain) -> None:
    target = torch.arange(RAGGED.num_nodes).repeat(8)  # more images than go through the tree together
    generator = torch.Generator().manual_seed(2)
    scores = torch.randn(len(target), width(RAGGED, domain), generator=generator)
    scores *= torch.tensor([1.0, 60.0, 1.0, 1000.0])[torch.arange(len(target)) % 4, None]
    scores.requires_grad_()
    weights = weights_for(RAGGED, target)
    found = ring_log_mass(scores, weights, RAGGED, domain)
    expected = torch.tensor(by_formula(RAGGED, scores.double(), target, weights, domain), dtype=torch.float64)
    torch.testing.assert_close(found.double(), expected, rtol=2e-6, atol=1e-5)
    exact = scores.detach().double().requires_grad_()
    in_double = ring_log_mass(exact, weights, RAGGED, domain)
    torch.testing.assert_close(in_double.detach(), expected, rtol=1e-9, atol=1e-9)
    (grad,), (exact_grad,) = (torch.autograd.grad(x.sum(), y) for x, y in ((found, scores), (in_double, exact)))
    torch.testing.assert_close(grad.double(), exact_grad, rtol=1e-4, atol=1e-4)


def test_no_image_no_loss() -> None:
    target = torch.zeros(0, dtype=torch.int64)
    scores = torch.zeros(0, RAGGED.num_nodes, requires_grad=True)
    out = ring_log_mass(scores, weights_for(RAGGED, target), RAGGED)
    out.sum().backward()
    assert out.shape == (0,)
    assert scores.grad is not None


def test_a_constant_added_to_all_scores_changes_nothing() -> None:
    target = torch.arange(RAGGED.num_nodes)
    scores, weights = torch.randn(len(target), RAGGED.num_nodes), weights_for(RAGGED, target)
    torch.testing.assert_close(
        ring_log_mass(scores + 64, weights, RAGGED), ring_log_mass(scores, weights, RAGGED), rtol=1e-5, atol=1e-5
    )


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    tree=taxonomies_with_nodes(max_nodes=16, max_batch=4),
    beta=st.sampled_from([0.0, 3.0, 10.0, float("inf")]),
    dilution=st.sampled_from([0.2, 1.0]),
    with_root=st.booleans(),
)
def test_diluted_rings_are_the_targets_diluted(
    tree: tuple[Taxonomy, list[int]], beta: float, dilution: float, with_root: bool
) -> None:
    taxonomy, nodes = tree
    if taxonomy.num_nodes == 1:
        with_root = True
    for distance in ("hace", "lca-height"):
        loss = HACESoftLoss(taxonomy, dilution, beta, distance, with_root=with_root)
        target = torch.tensor(nodes)
        expected = dilute(loss.targets(target, torch.float64), taxonomy, dilution=dilution, with_root=with_root)
        assert loss._rings is not None
        found = loss._rings(target).dense(taxonomy, torch.float64)
        torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-12)


def test_half_precision_under_autocast_is_that_of_single() -> None:
    loss = HACESoftLoss(RAGGED)
    target = torch.arange(RAGGED.num_nodes)
    scores = torch.randn(len(target), loss.num_outputs).bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        found = loss(scores, target)
    assert found.dtype is torch.float32
    torch.testing.assert_close(found, loss(scores.float(), target))


def test_the_tree_of_a_root_alone_costs_nothing() -> None:
    lonely = Taxonomy.from_parents([-1], ["x"])
    weights = weights_for(lonely, torch.zeros(2, dtype=torch.int64))
    assert ring_log_mass(torch.randn(2, 1), weights, lonely).tolist() == [0.0, 0.0]
    assert ops.tree_index(lonely, "cpu").max_depth == 0
