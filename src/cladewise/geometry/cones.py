r"""Order energies: translated orthants, and entailment cones in Euclidean space and in the Poincaré ball.

A label u is a region that contains the labels v below it. The energy measures by how much v misses the region.

Cones of both geometries share one formula with a curvature. The cone at x opens away from the origin by the angle
:math:`\psi(x)` on either side of the ray through x, along straight lines or geodesics:

.. math:: \sin \psi(x) = K \frac{1 - c\|x\|^2}{\|x\|}, \qquad E(x, y) = \max(0, \Xi(x, y) - \psi(x))

c = 0 gives Euclidean cones, c = 1 the hyperbolic cones of the unit ball; K is a length. The angle :math:`\Xi` at x
between that ray and the geodesic to y is computed by an arctangent, from the components of
:math:`(1 - c\|x\|^2)\, d - c\|d\|^2 x`, :math:`d = y - x`, along and across x. The published arccosine is the same
angle, but near 0 and :math:`\pi` it loses half the digits, and the clamp that keeps its gradient finite distorts it.

Where the angle is not differentiable (y on the line through x and the origin) or undefined (y = x, x = 0), its gradient
is zero; a point entails itself. The aperture's gradient, infinite at the inner radius, is bounded by that of the
arcsine 1e-5 away from 1.

References: Vendrov et al., Order-Embeddings of Images and Language, ICLR 2016, arXiv:1511.06361. Ganea, Bécigneul,
Hofmann, Hyperbolic Entailment Cones for Learning Hierarchical Embeddings, ICML 2018, arXiv:1804.01882.
"""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from cladewise.errors import InputError
from cladewise.geometry.ball import gap, least_gap
from cladewise.geometry.dtypes import result_dtype, widened
from cladewise.geometry.smooth import root
from cladewise.tracing import is_traced

FLATTEST = 2e-5
""":math:`1 - \\sin^2 \\psi` below which the slope of the arcsine is constant."""


def order_energy(general: Float[Tensor, "*batch dim"], special: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch"]:
    r"""By how much ``special`` misses the orthant of ``general``: zero if it is at least as large in every dimension.

    .. math:: E(x, y) = \|\max(0, x - y)\|^2

    Args:
        general: Vectors x of the labels above.
        special: Vectors y of the labels below.

    Example:
        >>> order_energy(torch.tensor([1.0, 2.0]), torch.tensor([[3.0, 2.0], [3.0, 0.0]]))
        tensor([0., 4.])

    References: Vendrov et al., 2016. Dhall et al. print the norm without the square; their code squares it.
    """
    dtype = result_dtype(general, special)
    return torch.relu(general.to(dtype) - special.to(dtype)).square().sum(-1)


def inner_radius(*, aperture: float = 0.1, curvature: float = 0.0) -> float:
    r"""Smallest norm of an apex, at which the cone is a half-space: :math:`\psi = \pi / 2`.

    .. math:: r = \frac{2K}{1 + \sqrt{1 + 4cK^2}}

    Args:
        aperture: K > 0.
        curvature: c >= 0.

    Raises:
        InputError: Either is out of range.

    Example:
        >>> round(inner_radius(aperture=0.1, curvature=1.0), 4), inner_radius(aperture=0.1)
        (0.099, 0.1)
    """
    _check(aperture, curvature)
    return 2 * aperture / (1 + (1 + 4 * curvature * aperture**2) ** 0.5)


def half_aperture(
    x: Float[Tensor, "*batch dim"], *, aperture: float = 0.1, curvature: float = 0.0
) -> Float[Tensor, "*batch"]:
    r"""Half-aperture of the cone at x, in radians; :math:`\pi/2` inside the inner radius.

    .. math:: \psi(x) = \arcsin\Bigl(K \frac{1 - c\|x\|^2}{\|x\|}\Bigr)

    Args:
        x: Apices.
        aperture: K > 0.
        curvature: c >= 0.

    Raises:
        InputError: Either is out of range.

    Example:
        >>> half_aperture(torch.tensor([[0.05, 0.0], [0.2, 0.0]])).rad2deg()
        tensor([90.0000, 30.0000])
    """
    _check(aperture, curvature)
    (apex,) = widened(x)
    return _half_aperture(apex, aperture, curvature, _floor(x)).to(result_dtype(x))


def cone_angle(
    x: Float[Tensor, "*batch dim"], y: Float[Tensor, "*batch dim"], *, curvature: float = 0.0
) -> Float[Tensor, "*batch"]:
    r"""Angle in radians at x between the ray from the origin through x and the geodesic to y.

    .. math:: \Xi(x, y) = \arccos \frac{\langle x, y\rangle(1 + c\|x\|^2) - \|x\|^2(1 + c\|y\|^2)}
        {\|x\| \|x - y\| \sqrt{1 + c^2\|x\|^2\|y\|^2 - 2c\langle x, y\rangle}}

    It is 0 for y beyond x on the ray, and :math:`\pi` for y between the origin and x.

    Args:
        x: Apices.
        y: Points.
        curvature: c >= 0; 0 is Euclidean space.

    Raises:
        InputError: The curvature is below zero.

    Example:
        >>> x = torch.tensor([0.4, 0.0])
        >>> cone_angle(x, torch.tensor([[0.8, 0.0], [0.4, 0.3], [0.1, 0.0]])).rad2deg()
        tensor([  0.,  90., 180.])
    """
    _check(1.0, curvature)
    apex, point = widened(x, y)
    return _angle(apex, point, curvature, _floor(x, y)).to(result_dtype(x, y))


def cone_energy(
    x: Float[Tensor, "*batch dim"], y: Float[Tensor, "*batch dim"], *, aperture: float = 0.1, curvature: float = 0.0
) -> Float[Tensor, "*batch"]:
    r"""By how much y misses the cone at x, in radians: :math:`\max(0, \Xi(x, y) - \psi(x))`.

    Cones nest: if y is in the cone at x and z in the cone at y, then z is in the cone at x.

    Args:
        x: Apices, the labels above.
        y: Points, the labels below.
        aperture: K > 0.
        curvature: c >= 0; 0 is Euclidean space.

    Raises:
        InputError: Aperture or curvature are out of range.

    Example:
        >>> x = torch.tensor([0.4, 0.0])
        >>> cone_energy(x, torch.tensor([[0.8, 0.0], [0.4, 0.3], [0.1, 0.0]]), curvature=1.0)
        tensor([0.0000, 1.5011, 2.9300])
    """
    _check(aperture, curvature)
    apex, point = widened(x, y)
    floor = _floor(x, y)
    missed = _angle(apex, point, curvature, floor) - _half_aperture(apex, aperture, curvature, floor)
    return torch.relu(missed).to(result_dtype(x, y))


def angle_of(across: Tensor, along: Tensor) -> Tensor:
    """Arctangent of two arguments that is 0, with zero gradient, where both are zero.

    Example:
        >>> angle_of(torch.tensor([0.0, 1.0]), torch.tensor([0.0, 1.0]))
        tensor([0.0000, 0.7854])
    """
    nowhere = (
        across.square() + along.square() == 0
    )  # the gradient divides by this sum, which underflows before its terms
    return torch.atan2(torch.where(nowhere, 0.0, across), torch.where(nowhere, 1.0, along))


def _angle(x: Tensor, y: Tensor, curvature: float, floor: float) -> Tensor:
    way = y - x
    near, square = gap(x, curvature, floor), (x * x).sum(-1, keepdim=True)
    outward = (x * way).sum(-1, keepdim=True)
    aside = way - x * (outward / square.clamp_min(torch.finfo(x.dtype).tiny))
    along = near * outward - curvature * (way * way).sum(-1, keepdim=True) * square
    across = near * root(square) * root((aside * aside).sum(-1, keepdim=True))
    return angle_of(across, along)[..., 0]


def _half_aperture(x: Tensor, aperture: float, curvature: float, floor: float) -> Tensor:
    norm = root((x * x).sum(-1, keepdim=True)).clamp_min(torch.finfo(torch.float32).tiny)
    sine = (aperture * gap(x, curvature, floor) / norm).clamp_max(1.0)
    return (_half_tangent_arcsine(sine) if is_traced() else _Arcsine.apply(sine))[..., 0]


def _half_tangent_arcsine(sine: Tensor) -> Tensor:
    """Arcsine by the tangent of half the angle, for exporters: onnxruntime has neither function in double precision.

    The tangent has the precision given; its arctangent is in single precision, an error of 1e-7.
    """
    tangent = sine / (1 + ((1 - sine) * (1 + sine)).sqrt())
    return 2 * tangent.float().atan().to(sine.dtype)


class _Arcsine(torch.autograd.Function):
    """Arcsine with a bounded slope."""

    @staticmethod
    def forward(ctx: Any, sine: Tensor) -> Tensor:
        ctx.save_for_backward(sine)
        return torch.asin(sine)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride] -- hidden names
        (sine,) = ctx.saved_tensors
        return grads[0] / (1 - sine * sine).clamp_min(FLATTEST).sqrt()


def _floor(*tensors: Tensor) -> float:
    return least_gap(result_dtype(*tensors))


def _check(aperture: float, curvature: float) -> None:
    if not 0 < aperture < float("inf"):
        raise InputError("an aperture above 0", aperture)
    if not 0 <= curvature < float("inf"):
        raise InputError("a curvature of at least 0", curvature)
