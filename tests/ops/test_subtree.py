from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cladewise import ops
from cladewise.taxonomy import Taxonomy
from reference import trees
from strategies import taxonomies

pytestmark = pytest.mark.usefixtures("arithmetic")

SCALES = st.sampled_from([1.0, 40.0, 1e4])


@settings(max_examples=15)
@given(taxonomies(), SCALES, st.integers(0, 99))
def test_subtree_logsumexp_is_its_twin(taxonomy: Taxonomy, scale: float, seed: int) -> None:
    values = scale * np.random.default_rng(seed).standard_normal((2, 3, taxonomy.num_nodes))
    values[0, 0, ::2] = -np.inf
    expected = np.apply_along_axis(lambda row: trees.subtree_logsumexp(taxonomy, row), -1, values)
    np.testing.assert_allclose(ops.subtree_logsumexp(torch.tensor(values), taxonomy), expected, rtol=1e-12, atol=1e-12)
    single = ops.subtree_logsumexp(torch.tensor(values, dtype=torch.float32), taxonomy)
    np.testing.assert_allclose(single, expected, rtol=1e-5, atol=1e-5)


@settings(max_examples=15)
@given(taxonomies(), SCALES, st.integers(0, 99))
def test_leaf_logsumexp_is_its_twin(taxonomy: Taxonomy, scale: float, seed: int) -> None:
    values = scale * np.random.default_rng(seed).standard_normal((3, taxonomy.num_leaves))
    expected = np.stack([trees.leaf_logsumexp(taxonomy, row) for row in values])
    np.testing.assert_allclose(ops.leaf_logsumexp(torch.tensor(values), taxonomy), expected, rtol=1e-12, atol=1e-12)


@settings(max_examples=15)
@given(taxonomies(), st.integers(0, 99))
def test_sums_are_transposes_of_each_other(taxonomy: Taxonomy, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    x, y = torch.randn(2, taxonomy.num_nodes, generator=generator, dtype=torch.float64)
    torch.testing.assert_close(ops.subtree_sum(x, taxonomy) @ y, x @ ops.path_sum(y, taxonomy))
    expected = [float(x[trees.under(taxonomy, v)].sum()) for v in range(taxonomy.num_nodes)]
    np.testing.assert_allclose(ops.subtree_sum(x, taxonomy), expected, atol=1e-12)


@settings(max_examples=15)
@given(taxonomies(max_nodes=10), st.sampled_from([1.0, 40.0]))
def test_gradients(taxonomy: Taxonomy, scale: float) -> None:
    values = (scale * torch.randn(2, taxonomy.num_nodes, dtype=torch.float64)).requires_grad_()
    for operation in (ops.subtree_logsumexp, ops.subtree_sum, ops.path_sum):
        assert torch.autograd.gradcheck(lambda x, op=operation: op(x, taxonomy), values, fast_mode=True)


def test_nothing_at_all_has_no_gradient(device: torch.device) -> None:
    taxonomy = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
    values = torch.zeros(2, taxonomy.num_nodes, device=device)
    values[0] = -torch.inf
    values[1, 1:4] = -torch.inf  # the subtree of a
    values.requires_grad_()
    result = ops.subtree_logsumexp(values, taxonomy)
    assert result[0].isneginf().all()
    assert result[1, 1:4].isneginf().all()
    (gradient,) = torch.autograd.grad(result, values, torch.ones_like(result))
    assert gradient.tolist() == [[0, 0, 0, 0, 0], [0.5, 0, 0, 0, 1.5]]


def test_nan_is_not_hidden() -> None:
    taxonomy = Taxonomy.from_paths([("a", "b"), ("c",)])
    assert ops.subtree_logsumexp(torch.tensor([0.0, 0.0, torch.nan, 0.0]), taxonomy)[:3].isnan().all()


@pytest.mark.parametrize("shape", [(), (0,), (2, 0)])
def test_any_batch_shape(shape: tuple[int, ...]) -> None:
    taxonomy = Taxonomy.from_paths([("a", "b"), ("c",)])
    assert ops.subtree_logsumexp(torch.zeros(*shape, 4), taxonomy).shape == (*shape, 4)
    assert ops.leaf_logsumexp(torch.zeros(*shape, 2), taxonomy).shape == (*shape, 4)
