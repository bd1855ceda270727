"""The Poincaré ball: against fifty digits, against geoopt, and its laws."""

from __future__ import annotations

import math
from collections.abc import Callable

import geoopt
import mpmath as mp
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from cladewise import geometry
from cladewise.errors import InputError
from reference import hyperbolic_twin as twin
from reference.hard_points import exactly, hostile, points

CURVATURES = st.sampled_from([0.1, 1.0, 2.5])


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-9), (torch.float32, 2e-6)])
@settings(max_examples=10)
@given(CURVATURES, st.integers(1, 5), st.integers(0, 99))
def test_all_are_as_fifty_digits_have_it(
    dtype: torch.dtype, tolerance: float, curvature: float, dim: int, seed: int
) -> None:
    x = points(6, dim, seed, curvature=curvature).to(dtype)
    y = points(6, dim, seed + 500, curvature=curvature).to(dtype)
    close = {"rtol": tolerance, "atol": tolerance}
    for mine, other in ((geometry.mobius_add, twin.mobius_add), (geometry.log, twin.log)):
        torch.testing.assert_close(mine(x, y, curvature=curvature).double(), exactly(other, x, y, c=curvature), **close)
    found = geometry.distance(x, y, curvature=curvature)
    torch.testing.assert_close(found.double(), exactly(twin.distance, x, y, c=curvature), **close)
    v = y - x
    torch.testing.assert_close(
        geometry.exp(x, v, curvature=curvature).double(), exactly(twin.exp, x, v, c=curvature), **close
    )


@pytest.mark.parametrize("reach", [1.0, 6.0, 10.0, 14.0])
def test_single_precision_loses_nothing_but_the_rounding_of_its_input(reach: float) -> None:
    x, y = points(40, 8, 0, reach=reach).float(), points(40, 8, 1, reach=reach).float()
    near = x + 1e-5 * (1 - x.norm(dim=1, keepdim=True)) * torch.randn_like(x)
    for other in (y, near):
        found = geometry.distance(x, other).double()
        torch.testing.assert_close(found, exactly(twin.distance, x, other, c=1.0), rtol=1e-6, atol=0)


def test_exponential_map_at_the_point_of_the_erratum() -> None:
    """The printed Eq. 4 of Dhall et al. is off by a tenth here."""
    x, v = torch.tensor([0.3, 0.4], dtype=torch.float64), torch.tensor([0.2, -0.1], dtype=torch.float64)
    factor = 2 / (1 - 0.25)
    way, length = v / v.norm(), float(v.norm())
    c, s = math.cosh(factor * length), math.sinh(factor * length)
    q = 1 + (factor - 1) * c + factor * s * float(x @ way)
    right = factor * (c + s * float(x @ way)) / q * x + s / q * way
    printed = (c * factor + s * float(x @ way)) / q * x + s / q * way
    torch.testing.assert_close(geometry.exp(x, v), right)
    assert (printed - right).norm() > 0.01


@settings(max_examples=10)
@given(CURVATURES, st.integers(1, 5), st.integers(0, 99))
def test_laws(curvature: float, dim: int, seed: int) -> None:
    x, y, z = (points(8, dim, seed + k, curvature=curvature, reach=5.0) for k in (0, 200, 400))
    origin, close = torch.zeros_like(x), {"rtol": 1e-9, "atol": 1e-9}
    c: dict[str, float] = {"curvature": curvature}
    torch.testing.assert_close(geometry.exp(x, geometry.log(x, y, **c), **c), y, **close)
    torch.testing.assert_close(geometry.mobius_add(-x, geometry.mobius_add(x, y, **c), **c), y, rtol=1e-7, atol=1e-7)
    length = geometry.conformal_factor(x, **c) * geometry.log(x, y, **c).norm(dim=1)
    torch.testing.assert_close(geometry.distance(x, y, **c), length, **close)
    torch.testing.assert_close(geometry.distance(x, y, **c), geometry.distance(y, x, **c))
    direct = geometry.distance(x, z, **c)
    assert (direct <= geometry.distance(x, y, **c) + geometry.distance(y, z, **c) + 1e-9).all()
    radius = 2 / curvature**0.5 * torch.atanh(curvature**0.5 * x.norm(dim=1))
    torch.testing.assert_close(geometry.distance(origin, x, **c), radius, **close)
    for at_origin, anywhere in (
        (geometry.exp_origin(y, **c), geometry.exp(origin, y, **c)),
        (geometry.log_origin(y, **c), geometry.log(origin, y, **c)),
        (geometry.exp_outside(y, 0.0, **c), geometry.exp_origin(y, **c)),
    ):
        torch.testing.assert_close(at_origin, anywhere, **close)
    moved = [geometry.mobius_add(z, point, **c) for point in (x, y)]
    torch.testing.assert_close(geometry.distance(*moved, **c), geometry.distance(x, y, **c), rtol=1e-6, atol=1e-6)


@settings(max_examples=10)
@given(st.integers(1, 5), st.integers(0, 99), st.sampled_from([0.5, 1.0, 2.0]))
def test_geoopt_agrees(dim: int, seed: int, curvature: float) -> None:
    # geoopt clamps the argument of its artanh at 1 - 1e-7, so that its distances end at 16.8; and its maps end at
    # 1 - 1e-5 of the radius. Neither is reached here.
    ball = geoopt.PoincareBall(c=torch.tensor(curvature, dtype=torch.float64))
    x, y = (points(8, dim, seed + k, curvature=curvature, reach=4.0) for k in (0, 300))
    c: dict[str, float] = {"curvature": curvature}
    v = (y - x) / geometry.conformal_factor(x, **c)[:, None]
    close = {"rtol": 1e-7, "atol": 1e-7}
    torch.testing.assert_close(geometry.mobius_add(x, y, **c), ball.mobius_add(x, y), **close)
    torch.testing.assert_close(geometry.exp(x, v, **c), ball.expmap(x, v), **close)
    torch.testing.assert_close(geometry.log(x, y, **c), ball.logmap(x, y), **close)
    torch.testing.assert_close(geometry.distance(x, y, **c), ball.dist(x, y), **close)
    torch.testing.assert_close(geometry.exp_origin(v, **c), ball.expmap0(v), **close)
    torch.testing.assert_close(geometry.log_origin(y, **c), ball.logmap0(y), **close)
    torch.testing.assert_close(geometry.conformal_factor(x, **c), ball.lambda_x(x), **close)
    torch.testing.assert_close(geometry.riemannian_gradient(x, v, **c), ball.egrad2rgrad(x, v), **close)


def test_distances_go_on_where_a_clamp_would_end_them() -> None:
    x = torch.tensor([[1 - 1e-12, 0.0]], dtype=torch.float64)
    found = float(geometry.distance(x, -x))
    assert found == pytest.approx(
        float(twin.distance(twin.vector(x[0].tolist()), twin.vector((-x[0]).tolist()), 1.0)), rel=1e-6
    )
    assert found > 56
    assert float(geoopt.PoincareBall(c=1.0).dist(x, -x)) < 17


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize(
    "function",
    [
        geometry.mobius_add,
        geometry.exp,
        geometry.log,
        geometry.distance,
        geometry.riemannian_gradient,
        lambda x, y: geometry.exp_origin(y + x),
        lambda x, y: geometry.log_origin(y) + x,
        lambda x, y: geometry.exp_outside(y, 0.1) + x,
        lambda x, y: geometry.conformal_factor(x) + y.sum(-1),
        lambda x, y: geometry.project(x, inner=0.1) + y,
        lambda x, y: geometry.clip_norm(x, 0.5) + y,
    ],
)
def test_values_and_gradients_are_finite_up_to_the_boundary(
    function: Callable[[Tensor, Tensor], Tensor], dtype: torch.dtype
) -> None:
    x, y = (side.requires_grad_() for side in hostile(3, dtype))
    found = function(x, y)
    assert found.isfinite().all()
    grads = torch.autograd.grad(found.sum(), (x, y))
    assert all(grad.isfinite().all() for grad in grads)
    assert found.dtype == (torch.float32 if dtype == torch.bfloat16 else dtype)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_maps_end_inside_the_ball(dtype: torch.dtype) -> None:
    x, y = hostile(3, dtype)
    for point in (
        geometry.mobius_add(x, y),
        geometry.exp(x, 1e4 * y),
        geometry.exp_origin(1e4 * x),
        geometry.project(9 * x),
    ):
        assert (point.double().norm(dim=1) <= 1 - geometry.MARGIN[dtype] / 2).all()


def test_gradient_where_points_coincide_is_zero() -> None:
    x = torch.tensor([[0.3, 0.4]], requires_grad=True)
    (grad,) = torch.autograd.grad(geometry.distance(x, x.detach().clone()).sum(), x)
    assert grad.tolist() == [[0.0, 0.0]]


@pytest.mark.parametrize("curvature", [0.3, 1.0])
def test_gradients(curvature: float) -> None:
    x, y = (points(4, 3, k, curvature=curvature, reach=3.0).requires_grad_() for k in (0, 1))
    c = {"curvature": curvature}
    for function in (geometry.mobius_add, geometry.exp, geometry.log, geometry.distance, geometry.riemannian_gradient):
        assert torch.autograd.gradcheck(lambda a, b, f=function: f(a, b, **c), (x, y), fast_mode=True)
    for function in (geometry.exp_origin, geometry.log_origin, geometry.conformal_factor):
        assert torch.autograd.gradcheck(lambda a, f=function: f(a, **c), (x,), fast_mode=True)
    assert torch.autograd.gradcheck(lambda a: geometry.exp_outside(a, 0.2, **c), (x,), fast_mode=True)
    tiny = (1e-4 * x.detach()).requires_grad_()
    assert torch.autograd.gradcheck(lambda a: geometry.exp(y.detach(), a, **c), (tiny,), fast_mode=True)


def test_projection_keeps_what_is_between_and_gives_the_origin_a_place() -> None:
    x = torch.tensor([[0.5, 0.1], [0.01, 0.0], [3.0, 4.0], [0.0, 0.0]])
    found = geometry.project(x, inner=0.1, margin=1e-5)
    torch.testing.assert_close(found, torch.tensor([[0.5, 0.1], [0.1, 0.0], [0.6, 0.8], [0.1, 0.0]]), atol=2e-5, rtol=0)
    assert found[0].equal(x[0])
    torch.testing.assert_close(geometry.project(x, curvature=0.0, inner=6.0)[2], torch.tensor([3.6, 4.8]))


def test_of_many_dimensions_and_broadcast() -> None:
    x, y = points(4, 3, 0).reshape(2, 1, 2, 3), points(6, 3, 1).reshape(3, 2, 3)
    assert geometry.distance(x, y).shape == (2, 3, 2)
    assert geometry.exp(x, y).shape == (2, 3, 2, 3)


@pytest.mark.parametrize("curvature", [0.0, -1.0, float("nan")])
def test_a_ball_needs_a_curvature(curvature: float) -> None:
    with pytest.raises(InputError, match="Expected a curvature above 0, but got"):
        geometry.exp_origin(torch.zeros(2), curvature=curvature)


def test_a_radius_is_inside_the_ball() -> None:
    with pytest.raises(InputError, match=r"Expected a radius from 0 to below 0\.5, but got 0\.6"):
        geometry.exp_outside(torch.zeros(2), 0.6, curvature=4.0)
    with pytest.raises(InputError, match=r"Expected an inner radius from 0 to 0\.99"):
        geometry.project(torch.zeros(2), inner=2.0, margin=1e-2)
    with pytest.raises(InputError, match="Expected a radius above 0, but got 0"):
        geometry.clip_norm(torch.zeros(2), 0.0)


def test_twin_says_the_same_in_two_ways() -> None:
    x, y = twin.vector([0.3, -0.2]), twin.vector([0.1, 0.7])
    w = twin.mobius_add([-a for a in x], y, 1.0)
    assert abs(2 * mp.atanh(twin.norm(w)) - twin.distance(x, y, 1.0)) < 1e-40
