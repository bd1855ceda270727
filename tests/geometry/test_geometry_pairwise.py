"""Matrices of distances and energies are those of the pairs, and so are their gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from cladewise import geometry
from cladewise.errors import InputError
from cladewise.geometry import pairwise
from reference import hyperbolic_twin as twin
from reference.hard_points import exactly, hostile, points

Pairs = Callable[[Tensor, Tensor], Tensor]

KINDS: dict[str, tuple[Pairs, Pairs]] = {
    "distance": (geometry.pairwise_distance, geometry.distance),
    "distance, c = 0.3": (
        lambda x, y: geometry.pairwise_distance(x, y, curvature=0.3),
        lambda x, y: geometry.distance(x, y, curvature=0.3),
    ),
    "Euclidean cones": (geometry.pairwise_cone_energy, geometry.cone_energy),
    "hyperbolic cones": (
        lambda x, y: geometry.pairwise_cone_energy(x, y, curvature=1.0),
        lambda x, y: geometry.cone_energy(x, y, curvature=1.0),
    ),
    "cones, c = 0.3": (
        lambda x, y: geometry.pairwise_cone_energy(x, y, aperture=0.2, curvature=0.3),
        lambda x, y: geometry.cone_energy(x, y, aperture=0.2, curvature=0.3),
    ),
    "order": (geometry.pairwise_order_energy, geometry.order_energy),
}


class LargestTensor(TorchDispatchMode):
    """How many numbers the largest tensor had that any operation made."""

    numbers = 0

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = function(*args, **(kwargs or {}))
        made = [tensor.numel() for tensor in tree_leaves(out) if isinstance(tensor, Tensor)]
        self.numbers = max([self.numbers, *made])
        return out


every_kind = pytest.mark.parametrize("kind", KINDS)


@pytest.fixture(params=[None, (3, 12), (1, 1)])
def tiles(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param is not None:
        monkeypatch.setattr(pairwise, "TILE_SIDE", request.param[0])
        monkeypatch.setattr(pairwise, "TILE", request.param[1])


@every_kind
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-7), (torch.float32, 1e-5)])
@settings(max_examples=10)
@given(st.integers(1, 12), st.integers(1, 12), st.integers(1, 6), st.integers(0, 99))
def test_all_pairs(
    kind: str, dtype: torch.dtype, tolerance: float, rows: int, columns: int, dim: int, seed: int
) -> None:
    fast, slow = KINDS[kind]
    x, y = points(rows, dim, seed, reach=4.0).to(dtype), points(columns, dim, seed + 300, reach=4.0).to(dtype)
    found = fast(x, y)
    torch.testing.assert_close(found, slow(x[:, None], y), rtol=tolerance, atol=tolerance)
    assert found.dtype == dtype


@every_kind
@pytest.mark.usefixtures("tiles")
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_gradients_are_those_of_the_pairs(kind: str, dtype: torch.dtype) -> None:
    fast, slow = KINDS[kind]
    x, y = points(7, 3, 0, reach=3.0).to(dtype), points(9, 3, 1, reach=3.0).to(dtype)
    weight = torch.randn(7, 9, dtype=dtype)
    for needed in ((True, True), (True, False), (False, True)):
        sides = [side.clone().requires_grad_(wants) for side, wants in zip((x, y), needed, strict=True)]
        wanting = [side for side in sides if side.requires_grad]
        wanted = torch.autograd.grad(slow(sides[0][:, None], sides[1]), wanting, weight)
        found = torch.autograd.grad(fast(*sides), wanting, weight)
        tolerance = 1e-9 if dtype == torch.float64 else 1e-4
        torch.testing.assert_close(found, wanted, rtol=tolerance, atol=tolerance)


@every_kind
def test_gradcheck(kind: str) -> None:
    x, y = points(4, 3, 2, reach=2.0).requires_grad_(), points(5, 3, 3, reach=2.0).requires_grad_()
    assert torch.autograd.gradcheck(KINDS[kind][0], (x, y))


@every_kind
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_values_and_gradients_are_finite_up_to_the_boundary(kind: str, dtype: torch.dtype) -> None:
    x, y = (side[::7].clone().requires_grad_() for side in hostile(3, dtype))
    found = KINDS[kind][0](x, y)
    assert found.isfinite().all()
    grads = torch.autograd.grad(found.sum(), (x, y))
    assert all(grad.isfinite().all() for grad in grads)


@every_kind
def test_a_set_with_itself(kind: str) -> None:
    x = torch.cat([points(30, 5, 4, reach=8.0)] * 2).float().requires_grad_()
    found = KINDS[kind][0](x, x)
    assert found.diagonal().tolist() == [0.0] * 60
    assert found.diagonal(30).tolist() == [0.0] * 30
    (grad,) = torch.autograd.grad(found.diagonal().sum(), x)
    assert grad.abs().max() == 0


@pytest.mark.parametrize(("reach", "tolerance"), [(4.0, 1e-6), (6.0, 1e-6), (10.0, 1e-4)])
def test_near_points_far_out_in_single_precision(reach: float, tolerance: float) -> None:
    """A Gram form in single precision is off by 0.07 at radius 6 and by 2 at radius 10."""
    x = points(12, 10, 5, reach=0.0) + 0
    way = torch.nn.functional.normalize(torch.randn(12, 10, dtype=torch.float64), dim=1)
    x = (torch.tanh(torch.tensor(reach / 2)) * way).float()
    y = geometry.exp(x, (0.1 * torch.randn(12, 10) / geometry.conformal_factor(x)[:, None])).float()
    found = geometry.pairwise_distance(x, y).diagonal().double()
    torch.testing.assert_close(found, exactly(twin.distance, x, y, c=1.0), rtol=0, atol=tolerance)


def test_nothing_of_pairs_times_dimension_is_held() -> None:
    x, y = torch.rand(100, 32) / 16, torch.rand(150, 32) / 16
    z = torch.rand(150, 32) / 16
    mlr: list[Pairs] = [
        lambda x, y: geometry.unidirectional_logits(x, y, y[:, 0]),
        lambda x, y: geometry.ganea_logits(x, z, y),
    ]
    for fast in [*(fast for fast, _ in KINDS.values()), *mlr]:
        with LargestTensor() as seen:
            a, b = x.clone().requires_grad_(), y.clone().requires_grad_()
            fast(a, b).sum().backward()
        assert 0 < seen.numbers <= 100 * 150


def test_empty_sets() -> None:
    for fast, _ in KINDS.values():
        x = torch.zeros(0, 3, requires_grad=True)
        found = fast(x, torch.rand(4, 3) / 4)
        assert found.shape == (0, 4)
        found.sum().backward()
        assert fast(torch.rand(4, 3) / 4, x).shape == (4, 0)


def test_shapes_are_checked() -> None:
    for fast, _ in KINDS.values():
        with pytest.raises(
            InputError, match=r"Expected points \[n, dim\] and \[m, dim\], but got shapes \[2\] and \[3, 2\]"
        ):
            fast(torch.rand(2), torch.rand(3, 2))
