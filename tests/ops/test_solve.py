from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cladewise import ops
from cladewise.errors import InputError
from cladewise.taxonomy import Taxonomy
from reference import inference_twin
from reference.small_trees import T9_THETA, t9, t9_order
from strategies import taxonomies

# breadth-first, from theta with 0 at the root and alpha 0.3
LIMIT = [-0.078629, 0.166368, 0.033379, -0.573619, -0.391184, 0.588816, -0.791925, 0.282835, -0.837165]
ONE_STEP = [-0.094069, 0.174641, 0.017526, -0.56, -0.385359, 0.594641, -0.744787, 0.246795, -0.873205]
ALPHAS = st.sampled_from([0.0, 0.3, 0.9, 0.99])


def with_weights(taxonomy: Taxonomy, weighted: bool) -> torch.Tensor | None:
    generator = torch.Generator().manual_seed(1)
    return 0.1 + 5 * torch.rand(taxonomy.num_nodes - 1, generator=generator).double() if weighted else None


@pytest.mark.parametrize(("steps", "golden"), [(0, LIMIT), (1, ONE_STEP)])
def test_golden_values(steps: int, golden: list[float]) -> None:
    values = torch.tensor([0.0, *T9_THETA[1:]])[t9_order()]
    expected = torch.tensor(golden)[t9_order()]
    torch.testing.assert_close(ops.diffuse(values, t9(), 0.3, steps=steps), expected, atol=2e-6, rtol=0)


@settings(max_examples=15)
@given(taxonomies(), ALPHAS, st.sampled_from([0, 1, 2, 12]), st.booleans(), st.integers(0, 99))
def test_diffusion_is_its_dense_twin(taxonomy: Taxonomy, alpha: float, steps: int, weighted: bool, seed: int) -> None:
    values = np.random.default_rng(seed).standard_normal((2, 3, taxonomy.num_nodes))
    weights = with_weights(taxonomy, weighted)
    given_weights = None if weights is None else weights.tolist()
    expected = np.apply_along_axis(
        lambda row: inference_twin.diffused(taxonomy, row, alpha, steps, given_weights), -1, values
    )
    double = ops.diffuse(torch.tensor(values), taxonomy, alpha, steps=steps, weights=weights)
    np.testing.assert_allclose(double, expected, rtol=1e-9, atol=1e-11)
    single = ops.diffuse(torch.tensor(values).float(), taxonomy, alpha, steps=steps, weights=weights)
    np.testing.assert_allclose(single, expected, rtol=0, atol=1e-6 / (1 - alpha))


@settings(max_examples=15)
@given(taxonomies(), ALPHAS, st.booleans())
def test_entries_are_those_of_the_inverse(taxonomy: Taxonomy, alpha: float, weighted: bool) -> None:
    nodes, weights = torch.arange(taxonomy.num_nodes), with_weights(taxonomy, weighted)
    expected = inference_twin.diffused(
        taxonomy, np.eye(taxonomy.num_nodes), alpha, 0, None if weights is None else weights.tolist()
    )
    entries = ops.diffusion_entries(nodes[:, None], nodes[None, :], taxonomy, alpha, weights=weights)
    np.testing.assert_allclose(entries, expected, rtol=1e-9, atol=1e-12)


@settings(max_examples=15)
@given(taxonomies(), ALPHAS)
def test_roots_of_degrees_stay_as_they_are(taxonomy: Taxonomy, alpha: float) -> None:
    if taxonomy.num_nodes == 1:
        assert ops.diffuse(torch.ones(1), taxonomy, alpha).item() == pytest.approx(1 - alpha)
        return
    degree = torch.tensor(taxonomy.num_children).double()
    degree[1:] += 1
    for steps in (0, 1, 12):
        torch.testing.assert_close(ops.diffuse(degree.sqrt(), taxonomy, alpha, steps=steps), degree.sqrt())


@settings(max_examples=15)
@given(taxonomies(), st.sampled_from([0.3, 0.9]))
def test_steps_converge_to_the_limit_as_fast_as_promised(taxonomy: Taxonomy, alpha: float) -> None:
    values = torch.randn(taxonomy.num_nodes, dtype=torch.float64)
    limit = ops.diffuse(values, taxonomy, alpha)
    for steps in (1, 5, 40):
        off = (ops.diffuse(values, taxonomy, alpha, steps=steps) - limit).norm()
        assert off <= alpha**steps * (values - limit).norm() + 1e-12


@settings(max_examples=15)
@given(taxonomies(max_nodes=10), st.sampled_from([0, 3]))
def test_diffusion_gradients(taxonomy: Taxonomy, steps: int) -> None:
    values = torch.randn(2, taxonomy.num_nodes, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: ops.diffuse(x, taxonomy, 0.7, steps=steps), values, fast_mode=True)
    assert torch.autograd.gradgradcheck(lambda x: ops.diffuse(x, taxonomy, 0.7, steps=steps), values, fast_mode=True)


def test_all_chunks_of_a_large_batch() -> None:
    taxonomy = Taxonomy.from_parents([-1, *np.repeat(np.arange(400), 5)], [str(i) for i in range(2001)])
    values = torch.randn(1200, taxonomy.num_nodes)
    whole = ops.diffuse(values, taxonomy, 0.3)
    torch.testing.assert_close(whole[::397], ops.diffuse(values[::397], taxonomy, 0.3))


def test_changed_weights_are_noticed(device: torch.device) -> None:
    weights, values = torch.ones(8, device=device), torch.randn(9, device=device)
    plain = ops.diffuse(values, t9(), 0.3)
    torch.testing.assert_close(ops.diffuse(values, t9(), 0.3, weights=weights), plain)
    torch.testing.assert_close(ops.diffuse(values, t9(), 0.3, weights=7 * weights), plain)  # only ratios count
    weights[3] = 9.0
    assert not torch.allclose(ops.diffuse(values, t9(), 0.3, weights=weights), plain)


@pytest.mark.parametrize("shape", [(), (0,), (2, 0)])
def test_any_batch_shape_diffuses(shape: tuple[int, ...]) -> None:
    assert ops.diffuse(torch.zeros(*shape, 9), t9(), 0.3).shape == (*shape, 9)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"alpha": 1.0}, "a diffusion rate alpha in [0, 1), but got 1.0"),
        ({"alpha": -0.1}, "a diffusion rate alpha"),
        ({"alpha": 0.3, "steps": -1}, "a number of diffusion steps"),
        ({"alpha": 0.3, "weights": torch.ones(9)}, "edge weights [8], one per node below the root, but got shape [9]"),
        ({"alpha": 0.3, "weights": torch.tensor([1, 1, 0.0, 1, 1, 1, 1, 1])}, "but got 0.0 at node 3"),
    ],
)
def test_what_cannot_be_diffused(options: dict[str, object], text: str) -> None:
    with pytest.raises(InputError) as error:
        ops.diffuse(torch.zeros(9), t9(), **options)  # type: ignore[arg-type]
    assert text in str(error.value)
    with pytest.raises(InputError, match="one per node"):
        ops.diffuse(torch.zeros(8), t9(), 0.3)
