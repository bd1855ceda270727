"""Poincaré MLR: two published forms that are one, against fifty digits, geoopt and their limit."""

from __future__ import annotations

import pytest
import torch
from geoopt.manifolds.stereographic import math as stereographic
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from cladewise import geometry
from cladewise.errors import InputError
from reference import hyperbolic_twin as twin
from reference.hard_points import hostile, points

CURVATURES = st.sampled_from([0.1, 1.0, 2.5])


def parameters(classes: int, dim: int, seed: int) -> tuple[Tensor, Tensor]:
    torch.manual_seed(seed)
    return torch.randn(classes, dim, dtype=torch.float64), torch.randn(classes, dtype=torch.float64)


@settings(max_examples=10)
@given(CURVATURES, st.integers(1, 6), st.integers(1, 5), st.integers(0, 99))
def test_the_forms_are_one(curvature: float, classes: int, dim: int, seed: int) -> None:
    z, r = parameters(classes, dim, seed)
    x = points(5, dim, seed, curvature=curvature)
    one = geometry.unidirectional_logits(x, z, r, curvature=curvature)
    other = geometry.ganea_logits(x, r[:, None] * z / z.norm(dim=1, keepdim=True), z, curvature=curvature)
    torch.testing.assert_close(one, other, rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-8), (torch.float32, 1e-5)])
@settings(max_examples=10)
@given(CURVATURES, st.integers(1, 4), st.integers(0, 99))
def test_both_are_as_fifty_digits_have_them(
    dtype: torch.dtype, tolerance: float, curvature: float, dim: int, seed: int
) -> None:
    z, r = (tensor.to(dtype) for tensor in parameters(3, dim, seed))
    p = parameters(3, dim, seed + 100)[0].to(dtype) / 2
    x = points(4, dim, seed, curvature=curvature).to(dtype)
    rows = [twin.vector(row) for row in x.double().tolist()]
    directions, tangents = ([twin.vector(row) for row in side.double().tolist()] for side in (z, p))
    close, c = {"rtol": tolerance, "atol": tolerance}, twin.mp.mpf(curvature)
    wanted = [
        [float(twin.unidirectional_logit(a, b, twin.mp.mpf(s), c)) for b, s in zip(directions, r.tolist(), strict=True)]
        for a in rows
    ]
    found = geometry.unidirectional_logits(x, z, r, curvature=curvature)
    torch.testing.assert_close(found.double(), torch.tensor(wanted, dtype=torch.float64), **close)
    wanted = [[float(twin.ganea_logit(a, q, b, c)) for q, b in zip(tangents, directions, strict=True)] for a in rows]
    found = geometry.ganea_logits(x, p, z, curvature=curvature)
    torch.testing.assert_close(found.double(), torch.tensor(wanted, dtype=torch.float64), **close)
    assert found.dtype == dtype


@settings(max_examples=10)
@given(st.integers(1, 5), st.integers(0, 99))
def test_geoopt_agrees_on_the_distance_to_a_hyperplane(dim: int, seed: int) -> None:
    z, _ = parameters(6, dim, seed)
    p, x = points(6, dim, seed, reach=3.0), points(4, dim, seed + 50, reach=3.0)
    distance = stereographic.dist2plane(x[:, None], p, z, k=torch.tensor(-1.0, dtype=torch.float64), signed=True)
    found = geometry.ganea_logits(x, geometry.log_origin(p), z)
    torch.testing.assert_close(found, 2 * z.norm(dim=1) * distance, rtol=1e-6, atol=1e-6)


@settings(max_examples=10)
@given(st.integers(1, 5), st.integers(0, 99))
def test_flat_space_is_the_limit(dim: int, seed: int) -> None:
    z, r = parameters(4, dim, seed)
    p, x = parameters(4, dim, seed + 7)[0], parameters(3, dim, seed + 9)[0][:3]
    flat = geometry.ganea_logits(x, p, z, curvature=1e-10)
    torch.testing.assert_close(flat, 4 * ((x[:, None] - p) * z).sum(-1), rtol=1e-6, atol=1e-6)
    flat = geometry.unidirectional_logits(x, z, r, curvature=1e-10)
    torch.testing.assert_close(flat, 4 * (x @ z.T - r * z.norm(dim=1)), rtol=1e-6, atol=1e-6)


def test_a_point_of_the_hyperplane_scores_nothing_and_opposite_points_the_opposite() -> None:
    p, z = parameters(4, 3, 0)[0] / 3, parameters(4, 3, 1)[0]
    on = geometry.ganea_logits(geometry.exp_origin(p), p, z).diagonal()
    torch.testing.assert_close(on, torch.zeros(4, dtype=torch.float64), rtol=0, atol=1e-12)
    x = points(5, 3, 2)
    through = torch.zeros(4, 3, dtype=torch.float64)
    torch.testing.assert_close(geometry.ganea_logits(x, through, z), -geometry.ganea_logits(-x, through, z))
    none = geometry.unidirectional_logits(x, torch.zeros(2, 3), torch.ones(2))
    assert none.eq(0).all()


@pytest.mark.parametrize("curvature", [0.3, 1.0])
def test_gradients(curvature: float) -> None:
    x = points(3, 3, 0, curvature=curvature, reach=3.0).requires_grad_()
    z, r = (tensor.requires_grad_() for tensor in parameters(4, 3, 1))
    p = parameters(4, 3, 2)[0].requires_grad_()
    c = {"curvature": curvature}
    assert torch.autograd.gradcheck(lambda *t: geometry.unidirectional_logits(*t, **c), (x, z, r), fast_mode=True)
    assert torch.autograd.gradcheck(lambda *t: geometry.ganea_logits(*t, **c), (x, p, z), fast_mode=True)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("scale", [1e-15, 1.0, 1e4])
def test_values_and_gradients_are_finite(dtype: torch.dtype, scale: float) -> None:
    x, z = (side.requires_grad_() for side in hostile(3, dtype))
    r = (scale * torch.linspace(-1, 1, len(z))).to(dtype).requires_grad_()
    p = (scale * z.detach()).flip(0).requires_grad_()
    for found, inputs in (
        (geometry.unidirectional_logits(x, z, r), (x, z, r)),
        (geometry.ganea_logits(x, p, z), (x, p, z)),
    ):
        assert found.isfinite().all()
        assert all(grad.isfinite().all() for grad in torch.autograd.grad(found.sum(), inputs))


def test_batches_of_any_shape() -> None:
    z, r = parameters(4, 3, 0)
    x = points(6, 3, 0)
    logits = geometry.unidirectional_logits(x, z, r)
    assert geometry.unidirectional_logits(x.view(2, 3, 3), z, r).view(6, 4).equal(logits)
    assert geometry.unidirectional_logits(x[0], z, r).shape == (4,)


def test_shapes_are_checked() -> None:
    with pytest.raises(InputError, match=r"Expected points .* but got shapes"):
        geometry.unidirectional_logits(torch.zeros(2, 3), torch.zeros(4, 2), torch.zeros(4))
    with pytest.raises(InputError, match=r"Expected points .* but got shapes"):
        geometry.ganea_logits(torch.zeros(2, 3), torch.zeros(4, 3), torch.zeros(3, 3))
    with pytest.raises(InputError, match="Expected a curvature above 0"):
        geometry.ganea_logits(torch.zeros(2, 3), torch.zeros(4, 3), torch.zeros(4, 3), curvature=0.0)
