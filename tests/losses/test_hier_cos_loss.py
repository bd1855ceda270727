"""The loss of composed orthogonal subspaces: its twin, values by hand, and what its subspaces promise."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cladewise.errors import InputError
from cladewise.losses import HierCOSLoss, basis_weights
from cladewise.ops import tree_index
from cladewise.ops.kernels import without_kernels
from cladewise.predictions import SubspaceNorms
from cladewise.taxonomy import Taxonomy
from reference.losses_subspaces import by_depth, hier_cos, subspace_norm
from strategies import taxonomies, taxonomies_with_nodes

RAGGED = Taxonomy.from_paths([("a", "b", "e"), ("a", "b", "f"), ("a", "c"), ("d",), ("g", "h", "i")])


def test_weights_of_a_path_by_hand() -> None:
    # e^(2/3), e^1 and e^2 are 1.947734, 2.718282 and 7.389056, and their sum is 12.055072
    expected = [[0.161570, 0.225489, 0.612941], [0.268941, 0.731059, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 0.0]]
    np.testing.assert_allclose(basis_weights(torch.tensor([3, 2, 1, 0]), 3), expected, atol=1e-6)


def test_a_value_by_hand() -> None:
    """Two classes under one parent, whose coordinates are 2 (the parent), 1 (the target) and 0 (its sibling)."""
    loss = HierCOSLoss(Taxonomy.from_paths([("a", "b"), ("a", "c")]), alpha=0.5)
    total = math.log(math.e**2 + math.e + 1)
    p = 1 / (1 + math.e)  # e^1 against e^2
    divergence = p * (math.log(p) - 2 + total) + (1 - p) * (math.log(1 - p) - 1 + total)
    sparse = torch.tensor([[2.0, 1.0, 0.0]])
    assert loss(sparse, torch.tensor([2])).item() == pytest.approx(divergence, abs=1e-6)  # one vector per depth
    even = loss(torch.tensor([[2.0, 1.0, 1.0]]), torch.tensor([2]))
    total = math.log(math.e**2 + 2 * math.e)
    divergence = p * (math.log(p) - 2 + total) + (1 - p) * (math.log(1 - p) - 1 + total)
    spread = (1 - math.sqrt(0.5)) + math.sqrt(0.5)
    assert even.item() == pytest.approx(divergence + 0.5 * spread, abs=1e-6)


@settings(max_examples=60)
@given(taxonomies_with_nodes(max_nodes=14), st.sampled_from([0.0, 0.001, 0.3]), st.booleans())
def test_the_loss_is_that_of_its_twin(case: tuple[Taxonomy, list[int]], alpha: float, compiled: bool) -> None:
    taxonomy, nodes = case
    generator = torch.Generator().manual_seed(taxonomy.num_nodes)
    x = 2 * torch.randn(len(nodes), taxonomy.num_nodes - 1, dtype=torch.float64, generator=generator)
    loss, target = HierCOSLoss(taxonomy, alpha), torch.tensor(nodes)
    expected = [hier_cos(row, node, taxonomy, alpha) for row, node in zip(x.numpy(), nodes, strict=True)]
    if compiled:
        found = loss(x, target)
    else:
        with without_kernels():
            found = loss(x, target)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("compiled", [True, False])
def test_gradients(compiled: bool) -> None:
    loss, target = HierCOSLoss(RAGGED, alpha=0.3), torch.arange(RAGGED.num_nodes)
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(len(target), loss.num_outputs, dtype=torch.float64, generator=generator).requires_grad_()
    if compiled:
        assert torch.autograd.gradcheck(lambda rows: loss(rows, target), x)
    else:
        with without_kernels():
            assert torch.autograd.gradcheck(lambda rows: loss(rows, target), x)


@pytest.mark.parametrize("scale", [1e4, 1e-4, 1e-25, 0.0])
@pytest.mark.parametrize("compiled", [True, False])
def test_large_tiny_and_zero_coordinates(scale: float, compiled: bool) -> None:
    loss, target = HierCOSLoss(RAGGED, alpha=0.1), torch.arange(RAGGED.num_nodes)
    signs = torch.randn(len(target), loss.num_outputs, generator=torch.Generator().manual_seed(1)).sign()
    x = (scale * signs).requires_grad_()
    if compiled:
        value = loss(x, target)
    else:
        with without_kernels():
            value = loss(x, target)
    value.sum().backward()
    assert value.isfinite().all()
    assert x.grad is not None
    assert x.grad.isfinite().all()


def test_a_label_says_nothing_about_what_is_below_it() -> None:
    loss, node = HierCOSLoss(RAGGED, alpha=0.2), int(np.flatnonzero(RAGGED.names == "b")[0])
    place = tree_index(RAGGED, "cpu").frame_place
    below = place[node + 1 : int(RAGGED.end[node])]
    generator = torch.Generator().manual_seed(2)
    x = torch.randn(2, loss.num_outputs, generator=generator)[:1].repeat(2, 1)
    x[1, below] += 5.0
    x.requires_grad_()
    one, other = loss(x, torch.tensor([node, node]))
    assert one.item() == other.item()
    (one + other).backward()
    assert x.grad is not None
    assert (x.grad[:, below] == 0).all()
    assert loss(x[:1], torch.tensor([0])).item() == 0


def test_the_loss_vanishes_where_the_coordinates_are_those_of_the_target() -> None:
    """Logarithms of the masses plus a constant, on the path alone."""
    loss = HierCOSLoss(RAGGED, alpha=0.1)
    leaf = int(np.flatnonzero(RAGGED.names == "e")[0])
    path = [int(np.flatnonzero(RAGGED.names == name)[0]) for name in ("a", "b", "e")]
    x = torch.zeros(1, loss.num_outputs, dtype=torch.float64)
    x[0, tree_index(RAGGED, "cpu").frame_place[path]] = basis_weights(torch.tensor([3]), 3, torch.float64).log() + 60
    assert loss(x, torch.tensor([leaf])).item() == pytest.approx(0.0, abs=1e-9)
    assert loss.prediction(x).best_leaf().node.item() == leaf


@settings(max_examples=40)
@given(taxonomies(max_nodes=12, min_nodes=2))
def test_norms_are_those_of_projections(taxonomy: Taxonomy) -> None:
    generator = torch.Generator().manual_seed(taxonomy.num_nodes)
    x = torch.randn(3, taxonomy.num_nodes - 1, dtype=torch.float64, generator=generator)
    prediction = SubspaceNorms(taxonomy, x)
    assert prediction.logit_nodes[:, 0].tolist() == by_depth(taxonomy)
    expected = [[subspace_norm(row, int(leaf), taxonomy) for leaf in taxonomy.leaf_nodes] for row in x.numpy()]
    np.testing.assert_allclose(prediction.leaf_scores(), expected, rtol=1e-9)


@settings(max_examples=40)
@given(taxonomies(max_nodes=12, min_nodes=2), st.data())
def test_leaves_that_share_more_of_the_path_are_closer(taxonomy: Taxonomy, data: st.DataObject) -> None:
    """A vector of a leaf's subspace without zeros is the longer in another's, the deeper their common ancestor."""
    leaf = data.draw(st.sampled_from(taxonomy.leaf_nodes.tolist()))
    place = tree_index(taxonomy, "cpu").frame_place
    x = torch.zeros(1, taxonomy.num_nodes - 1, dtype=torch.float64)
    for node in range(1, taxonomy.num_nodes):
        if node <= leaf < taxonomy.end[node]:
            x[0, place[node]] = data.draw(st.floats(0.1, 5.0))
    norms = SubspaceNorms(taxonomy, x).leaf_scores()[0].tolist()
    depths = [int(taxonomy.depth[taxonomy.lca(leaf, int(other))]) for other in taxonomy.leaf_nodes]
    for depth, norm in zip(depths, norms, strict=True):
        for other_depth, other_norm in zip(depths, norms, strict=True):
            assert depth != other_depth or norm == pytest.approx(other_norm)
            assert depth <= other_depth or norm > other_norm


def test_prediction_settles_to_its_norms() -> None:
    prediction = SubspaceNorms(RAGGED, torch.randn(3, RAGGED.num_nodes - 1, generator=torch.Generator().manual_seed(4)))
    assert type(prediction.settled()).__name__ == "LeafSoftmax"
    torch.testing.assert_close(prediction.settled().log_prob, prediction.log_prob)
    assert prediction.leaf_ranking(2).tolist() == prediction.settled().leaf_ranking(2).tolist()


def test_bad_settings() -> None:
    for alpha in (-0.1, math.nan, math.inf):
        with pytest.raises(InputError, match="an alpha of at least 0"):
            HierCOSLoss(RAGGED, alpha)
    with pytest.raises(InputError, match="one per node below the root"):
        SubspaceNorms(RAGGED, torch.zeros(2, RAGGED.num_leaves))
