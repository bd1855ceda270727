"""Cones and order: closed forms, laws, and fifty digits."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from cladewise import geometry
from cladewise.errors import InputError
from reference import hyperbolic_twin as twin
from reference.hard_points import directions, exactly, hostile, points

CURVATURES = st.sampled_from([0.0, 0.4, 1.0])
GEOMETRIES = pytest.mark.parametrize("curvature", [0.0, 1.0])
APERTURES = st.sampled_from([0.05, 0.1, 0.4])


def apices(count: int, dim: int, seed: int, *, curvature: float, aperture: float = 0.1) -> Tensor:
    """Points outside the inner radius: up to hyperbolic radius 5, or up to a length of 3."""
    spread = points(count, dim, seed, curvature=curvature or 1.0, reach=5.0)
    inner = geometry.inner_radius(aperture=aperture, curvature=curvature)
    return geometry.project(spread if curvature else 3 * spread, curvature=curvature, inner=inner + 1e-9)


def in_cone(x: Tensor, seed: int, *, curvature: float, aperture: float) -> Tensor:
    """A point of the cone at each apex: a way at less than the half-aperture from the axis, of any length."""
    generator = torch.Generator().manual_seed(seed)
    axis = torch.nn.functional.normalize(x, dim=1)
    side = directions(len(x), x.shape[1], seed + 1)
    side = torch.nn.functional.normalize(side - (side * axis).sum(1, keepdim=True) * axis, dim=1)
    share, length = torch.rand(2, len(x), 1, generator=generator, dtype=x.dtype)
    angle = share * geometry.half_aperture(x, aperture=aperture, curvature=curvature)[:, None]
    way = angle.cos() * axis + angle.sin() * side
    if not curvature:
        return x + 2 * length * way
    return geometry.exp(
        x, 3 * length * way / geometry.conformal_factor(x, curvature=curvature)[:, None], curvature=curvature
    )


@settings(max_examples=10)
@given(CURVATURES, APERTURES, st.integers(2, 5), st.integers(0, 10_000))
def test_cones_nest(curvature: float, aperture: float, dim: int, seed: int) -> None:
    c = {"curvature": curvature, "aperture": aperture}
    x = apices(64, dim, seed, **c)
    y = in_cone(x, seed + 1, **c)
    z = in_cone(y, seed + 2, **c)
    for general, special in ((x, y), (y, z), (x, z)):
        assert geometry.cone_energy(general, special, **c).max() <= 1e-6


@settings(max_examples=10)
@given(st.integers(1, 5), st.integers(0, 99))
def test_order_is_that_of_every_coordinate(dim: int, seed: int) -> None:
    torch.manual_seed(seed)
    x, y, z = torch.randint(-2, 3, (3, 200, dim)).double()
    energy = geometry.order_energy(x, y)
    assert ((energy == 0) == (y >= x).all(1)).all()
    both = (energy == 0) & (geometry.order_energy(y, z) == 0)
    assert (geometry.order_energy(x, z)[both] == 0).all()
    torch.testing.assert_close(energy, torch.relu(x - y).norm(dim=1) ** 2)


@GEOMETRIES
def test_on_the_ray_beyond_the_angle_is_zero_and_before_it_is_pi(curvature: float) -> None:
    x = apices(20, 4, 1, curvature=curvature)
    angle = {"curvature": curvature}
    beyond, before = 1.0001 * x, 0.3 * x
    torch.testing.assert_close(
        geometry.cone_angle(x, beyond, **angle), torch.zeros(20, dtype=x.dtype), atol=1e-9, rtol=0
    )
    torch.testing.assert_close(geometry.cone_angle(x, before, **angle), torch.full((20,), math.pi, dtype=x.dtype))
    assert geometry.cone_energy(x, beyond, **angle).tolist() == [0.0] * 20
    assert geometry.cone_energy(x, x, **angle).tolist() == [0.0] * 20


@settings(max_examples=10)
@given(CURVATURES, APERTURES)
def test_aperture_at_the_inner_radius_is_a_right_angle(curvature: float, aperture: float) -> None:
    c = {"curvature": curvature, "aperture": aperture}
    radius = geometry.inner_radius(**c)
    x = radius * directions(5, 3, 0)
    torch.testing.assert_close(
        geometry.half_aperture(x, **c), torch.full((5,), math.pi / 2, dtype=x.dtype), atol=1e-6, rtol=0
    )
    assert geometry.half_aperture(0.5 * x, **c).tolist() == [math.pi / 2] * 5
    assert (geometry.half_aperture(1.2 * x, **c) < math.pi / 2).all()


def test_published_numbers() -> None:
    assert geometry.inner_radius(aperture=0.1, curvature=1.0) == pytest.approx(0.0990, abs=5e-5)
    assert geometry.inner_radius(aperture=0.1) == 0.1
    x = torch.tensor([0.5, 0.0], dtype=torch.float64)
    assert float(geometry.half_aperture(x)) == pytest.approx(math.asin(0.1 / 0.5))
    assert float(geometry.half_aperture(x, curvature=1.0)) == pytest.approx(math.asin(0.1 * 0.75 / 0.5))


@settings(max_examples=10)
@given(CURVATURES, st.integers(2, 5), st.integers(0, 99))
def test_the_angle_is_that_to_the_logarithm(curvature: float, dim: int, seed: int) -> None:
    x = apices(8, dim, seed, curvature=curvature)
    y = apices(8, dim, seed + 500, curvature=curvature)
    way = geometry.log(x, y, curvature=curvature) if curvature else y - x
    cosine = torch.nn.functional.cosine_similarity(way, x, dim=1).clamp(-1, 1)
    torch.testing.assert_close(geometry.cone_angle(x, y, curvature=curvature).cos(), cosine, atol=1e-9, rtol=0)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-9), (torch.float32, 1e-6)])
@settings(max_examples=10)
@given(CURVATURES, st.integers(1, 5), st.integers(0, 99))
def test_angles_are_as_fifty_digits_have_them(
    dtype: torch.dtype, tolerance: float, curvature: float, dim: int, seed: int
) -> None:
    x = apices(6, dim, seed, curvature=curvature).to(dtype)
    y = apices(6, dim, seed + 500, curvature=curvature).to(dtype)
    close = {"rtol": tolerance, "atol": tolerance}
    found = geometry.cone_angle(x, y, curvature=curvature).double()
    torch.testing.assert_close(found, exactly(twin.cone_angle, x, y, c=curvature), **close)
    near = (x + 1e-4 * y).to(dtype)
    found = geometry.cone_angle(x, near, curvature=curvature).double()
    torch.testing.assert_close(found, exactly(twin.cone_angle, x, near, c=curvature), **close)
    found = geometry.half_aperture(x, curvature=curvature).double()
    torch.testing.assert_close(found, exactly(twin.half_aperture, x, aperture=0.1, c=curvature), **close)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("curvature", [0.0, 1.0])
@pytest.mark.parametrize("kind", ["angle", "energy", "aperture", "order"])
def test_values_and_gradients_are_finite_up_to_the_boundary(kind: str, curvature: float, dtype: torch.dtype) -> None:
    function: Callable[[Tensor, Tensor], Tensor] = {
        "angle": lambda x, y: geometry.cone_angle(x, y, curvature=curvature),
        "energy": lambda x, y: geometry.cone_energy(x, y, curvature=curvature),
        "aperture": lambda x, y: geometry.half_aperture(x, curvature=curvature) + y.sum(-1),
        "order": geometry.order_energy,
    }[kind]
    for scale in (1.0,) if curvature else (1.0, 1e-20, 1e4):
        x, y = ((scale * side).requires_grad_() for side in hostile(3, dtype))
        found = function(x, y)
        assert found.isfinite().all()
        grads = torch.autograd.grad(found.sum(), (x, y))
        assert all(grad.isfinite().all() for grad in grads)
    if kind in ("angle", "energy"):
        assert found.min() >= 0
        assert found.max() <= math.pi + 1e-6


@GEOMETRIES
def test_gradients(curvature: float) -> None:
    x = apices(5, 3, 0, curvature=curvature).requires_grad_()
    y = apices(5, 3, 7, curvature=curvature).requires_grad_()
    assert torch.autograd.gradcheck(lambda a, b: geometry.cone_energy(a, b, curvature=curvature), (x, y))
    assert torch.autograd.gradcheck(lambda a: geometry.half_aperture(a, curvature=curvature), (x,))
    assert torch.autograd.gradcheck(geometry.order_energy, (x, y))


@GEOMETRIES
def test_gradients_are_defined_where_there_are_none(curvature: float) -> None:
    x = torch.tensor([[0.5, 0.0]], requires_grad=True)
    for y in (x.detach(), 0.5 * x.detach(), 1.5 * x.detach()):
        (grad,) = torch.autograd.grad(geometry.cone_angle(x, y, curvature=curvature).sum(), x)
        assert grad.tolist() == [[0.0, 0.0]]
    steep = torch.tensor([[geometry.inner_radius(curvature=curvature) + 1e-7, 0.0]], requires_grad=True)
    (grad,) = torch.autograd.grad(geometry.half_aperture(steep, curvature=curvature).sum(), steep)
    assert 0 < -grad[0, 0] < 5000


def test_arguments_out_of_range() -> None:
    with pytest.raises(InputError, match="Expected an aperture above 0, but got 0"):
        geometry.inner_radius(aperture=0.0)
    with pytest.raises(InputError, match="Expected a curvature of at least 0, but got -1"):
        geometry.cone_angle(torch.ones(2), torch.ones(2), curvature=-1.0)
