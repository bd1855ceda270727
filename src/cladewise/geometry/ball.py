r"""The Poincaré ball :math:`\{x : c \|x\|^2 < 1\}` of curvature :math:`-c`.

Everything is computed from differences: with :math:`d = y - x` and the gaps :math:`g_x = 1 - c \|x\|^2`,

.. math:: -x \oplus y = \frac{g_x d - c \|d\|^2 x}{g_x g_y + c \|d\|^2}, \qquad
    \sinh^2 \tfrac{\sqrt{c}}{2} d(x, y) = \frac{c \|d\|^2}{g_x g_y}

which avoids cancellation for both close and distant points, unlike the textbook forms
(:math:`\operatorname{arcosh}(1 + \ldots)`, :math:`1 + 2c\langle x, y \rangle + \ldots`). Vectors are the last
dimension; the others broadcast. Single precision is computed in double and returned as single. Points are kept at least
a share :data:`~cladewise.geometry.dtypes.MARGIN` of the radius away from the boundary, at hyperbolic radius 14.5
(single precision) or 30.6 (double) for c = 1: beyond that, coordinates no longer determine the point.

References: Ganea, Bécigneul, Hofmann, Hyperbolic Neural Networks, NeurIPS 2018, arXiv:1805.09112. Nickel and Kiela,
Poincaré Embeddings, NeurIPS 2017, arXiv:1705.08039.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from cladewise.errors import InputError
from cladewise.geometry.dtypes import MARGIN, result_dtype, widened
from cladewise.geometry.smooth import artanhc, asinhc, root, sech_squared, tanhc


def mobius_add(
    x: Float[Tensor, "*batch dim"], y: Float[Tensor, "*batch dim"], *, curvature: float = 1.0
) -> Float[Tensor, "*batch dim"]:
    r"""Möbius addition: the image of ``y`` under the translation that takes the origin to ``x``.

    .. math:: x \oplus y = \frac{(1 + 2c\langle x, y\rangle + c\|y\|^2)\, x + (1 - c\|x\|^2)\, y}
        {1 + 2c\langle x, y\rangle + c^2 \|x\|^2 \|y\|^2}

    Args:
        x: Points of the ball.
        y: Points of the ball.
        curvature: c > 0, an inverse squared length.

    Raises:
        InputError: The curvature is not above zero.

    Example:
        >>> mobius_add(torch.tensor([0.5, 0.0]), torch.tensor([0.5, 0.0]))
        tensor([0.8000, 0.0000])
    """
    a, b = _points(x, y, curvature=curvature)
    floor, dtype = _floor(x, y), result_dtype(x, y)
    total = _added(a, b, gap(a, curvature, floor), gap(b, curvature, floor), curvature)
    return _within(total, dtype, curvature).to(dtype)


def exp(
    x: Float[Tensor, "*batch dim"], v: Float[Tensor, "*batch dim"], *, curvature: float = 1.0
) -> Float[Tensor, "*batch dim"]:
    r"""Exponential map: the point reached in unit time by the geodesic from ``x`` with velocity ``v``.

    .. math:: \exp_x(v) = x \oplus \tanh\!\Bigl(\tfrac{\sqrt{c}}{2}\lambda_x \|v\|\Bigr)
        \frac{v}{\sqrt{c}\|v\|}, \qquad d(x, \exp_x(v)) = \lambda_x \|v\|

    Args:
        x: Points of the ball.
        v: Tangent vectors at ``x``, of Riemannian length :math:`\lambda_x \|v\|`.
        curvature: c > 0.

    Returns:
        Points inside the margin of the boundary, where longer geodesics end.

    Raises:
        InputError: The curvature is not above zero.

    Example:
        >>> exp(torch.zeros(2), torch.tensor([0.5, 0.0]))
        tensor([0.4621, 0.0000])

    References: Ganea et al., Hyperbolic Entailment Cones, ICML 2018, arXiv:1804.01882, Theorem 1. Dhall et al.,
        Hierarchical Image Classification using Entailment Cone Embeddings, CVPR Workshops 2020, arXiv:2004.03459, print
        their Eq. 4 with :math:`c\lambda_x + s\langle x, \hat{v}\rangle` instead of
        :math:`\lambda_x (c + s\langle x, \hat{v}\rangle)`.
    """
    at, way = _points(x, v, curvature=curvature)
    near = gap(at, curvature, _floor(x, v))
    q = curvature * _square(way) / near**2
    step = way * (tanhc(q) / near)
    end = _added(at, step, near, sech_squared(q), curvature)
    return _within(end, result_dtype(x, v), curvature).to(result_dtype(x, v))


def log(
    x: Float[Tensor, "*batch dim"], y: Float[Tensor, "*batch dim"], *, curvature: float = 1.0
) -> Float[Tensor, "*batch dim"]:
    r"""Logarithmic map: the velocity at ``x`` of the geodesic that reaches ``y`` in unit time.

    .. math:: \log_x(y) = \frac{2}{\sqrt{c}\lambda_x} \operatorname{artanh}(\sqrt{c}\|w\|) \frac{w}{\|w\|},
        \qquad w = -x \oplus y

    Args:
        x: Points of the ball.
        y: Points of the ball.
        curvature: c > 0.

    Raises:
        InputError: The curvature is not above zero.

    Example:
        >>> log(torch.zeros(2), exp(torch.zeros(2), torch.tensor([0.5, 0.0])))
        tensor([0.5000, 0.0000])
    """
    a, b = _points(x, y, curvature=curvature)
    floor = _floor(x, y)
    near, far, way = gap(a, curvature, floor), gap(b, curvature, floor), b - a
    apart = curvature * _square(way)
    direction = near * way - apart * a
    scale = near * asinhc(apart / (near * far)) / ((near * far).sqrt() * (near * far + apart).sqrt())
    return (scale * direction).to(result_dtype(x, y))


def exp_origin(v: Float[Tensor, "*batch dim"], *, curvature: float = 1.0) -> Float[Tensor, "*batch dim"]:
    r"""Exponential map at the origin, where :math:`\lambda = 2`.

    .. math:: \exp_0(v) = \tanh(\sqrt{c}\|v\|) \frac{v}{\sqrt{c}\|v\|}

    Args:
        v: Tangent vectors at the origin.
        curvature: c > 0.

    Raises:
        InputError: The curvature is not above zero.

    Example:
        >>> exp_origin(torch.tensor([0.5, 0.0]))
        tensor([0.4621, 0.0000])
    """
    (way,) = _points(v, curvature=curvature)
    end = way * tanhc(curvature * _square(way))
    return _within(end, result_dtype(v), curvature).to(result_dtype(v))


def exp_outside(
    v: Float[Tensor, "*batch dim"], radius: float, *, curvature: float = 1.0
) -> Float[Tensor, "*batch dim"]:
    r"""Exponential map at the origin, shifted outwards so that no point lies within a given radius.

    .. math:: v \mapsto \tanh\bigl(\operatorname{artanh}(\sqrt{c}\, r) + \sqrt{c}\|v\|\bigr)
        \frac{v}{\sqrt{c}\|v\|}

    It maps features to where apices of cones may lie, outside the inner radius. The zero vector has no direction and
    stays at the origin.

    Args:
        v: Vectors.
        radius: Smallest norm r of the points, below :math:`1/\sqrt{c}`.
        curvature: c > 0.

    Raises:
        InputError: The curvature is not above zero, or the radius is not inside the ball.

    Example:
        >>> exp_outside(torch.tensor([0.01, 0.0]), 0.1)
        tensor([0.1099, 0.0000])

    References: the code of Dhall et al., 2020.
    """
    (way,) = _points(v, curvature=curvature)
    if not 0 <= curvature * radius**2 < 1:
        raise InputError(f"a radius from 0 to below {curvature**-0.5:g}", radius)
    norm, unit = root(_square(way)), curvature**0.5
    start = torch.atanh(torch.as_tensor(unit * radius, dtype=way.dtype, device=way.device))
    placed = norm > 0
    end = way * torch.where(placed, torch.tanh(start + unit * norm) / torch.where(placed, unit * norm, 1.0), 0.0)
    return _within(end, result_dtype(v), curvature).to(result_dtype(v))


def log_origin(y: Float[Tensor, "*batch dim"], *, curvature: float = 1.0) -> Float[Tensor, "*batch dim"]:
    r"""Logarithmic map at the origin.

    .. math:: \log_0(y) = \operatorname{artanh}(\sqrt{c}\|y\|) \frac{y}{\sqrt{c}\|y\|}

    Args:
        y: Points of the ball.
        curvature: c > 0.

    Raises:
        InputError: The curvature is not above zero.

    Example:
        >>> log_origin(torch.tensor([0.5, 0.0]))
        tensor([0.5493, 0.0000])
    """
    (point,) = _points(y, curvature=curvature)
    q = (curvature * _square(point)).clamp_max((1 - MARGIN[result_dtype(y)]) ** 2)
    return (point * artanhc(q)).to(result_dtype(y))


def distance(
    x: Float[Tensor, "*batch dim"], y: Float[Tensor, "*batch dim"], *, curvature: float = 1.0
) -> Float[Tensor, "*batch"]:
    r"""Length of the geodesic between two points.

    .. math:: d(x, y) = \frac{2}{\sqrt{c}} \operatorname{asinh} \sqrt{\frac{c\|x - y\|^2}
        {(1 - c\|x\|^2)(1 - c\|y\|^2)}}

    which is :math:`\operatorname{arcosh}(1 + 2\|x-y\|^2 / \ldots)` and :math:`2\operatorname{artanh}\|-x\oplus
    y\|` for c = 1, without their cancellation. For coincident points the gradient is zero.

    Args:
        x: Points of the ball.
        y: Points of the ball.
        curvature: c > 0.

    Raises:
        InputError: The curvature is not above zero.

    Example:
        >>> distance(torch.zeros(2), torch.tensor([0.5, 0.0]))
        tensor(1.0986)
    """
    a, b = _points(x, y, curvature=curvature)
    floor = _floor(x, y)
    apart = curvature * _square(b - a) / (gap(a, curvature, floor) * gap(b, curvature, floor))
    return (2 / curvature**0.5 * torch.asinh(root(apart)))[..., 0].to(result_dtype(x, y))


def conformal_factor(x: Float[Tensor, "*batch dim"], *, curvature: float = 1.0) -> Float[Tensor, "*batch"]:
    r"""Hyperbolic length per Euclidean length at a point, :math:`\lambda_x = 2 / (1 - c\|x\|^2)`.

    Args:
        x: Points of the ball.
        curvature: c > 0.

    Raises:
        InputError: The curvature is not above zero.

    Example:
        >>> conformal_factor(torch.tensor([[0.0, 0.0], [0.5, 0.0]]))
        tensor([2.0000, 2.6667])
    """
    (point,) = _points(x, curvature=curvature)
    return (2 / gap(point, curvature, _floor(x)))[..., 0].to(result_dtype(x))


def riemannian_gradient(
    x: Float[Tensor, "*batch dim"], gradient: Float[Tensor, "*batch dim"], *, curvature: float = 1.0
) -> Float[Tensor, "*batch dim"]:
    r"""Riemannian gradient: the Euclidean gradient divided by the *square* of the conformal factor.

    .. math:: \operatorname{grad} f(x) = \Bigl(\frac{1 - c\|x\|^2}{2}\Bigr)^2 \nabla f(x)

    Args:
        x: Points of the ball.
        gradient: Partial derivatives at ``x``.
        curvature: c > 0.

    Raises:
        InputError: The curvature is not above zero.

    Example:
        >>> riemannian_gradient(torch.zeros(2), torch.tensor([1.0, 0.0]))
        tensor([0.2500, 0.0000])

    References: Nickel and Kiela, 2017, Eq. 5. The code of Dhall et al. divides by :math:`2 / (1 - \|x\|)`, with
        the norm not squared.
    """
    point, slope = _points(x, gradient, curvature=curvature)
    return ((gap(point, curvature, _floor(x)) / 2) ** 2 * slope).to(result_dtype(x, gradient))


def project(
    x: Float[Tensor, "*batch dim"], *, curvature: float = 1.0, inner: float = 0.0, margin: float | None = None
) -> Float[Tensor, "*batch dim"]:
    r"""Project vectors to norms between an inner radius and the boundary of the ball.

    Args:
        x: Vectors.
        curvature: c > 0 of the ball, or 0 for no boundary.
        inner: Smallest norm. The zero vector, which has no direction, is moved along the first axis.
        margin: Distance kept from the boundary, as a share of the ball's radius;
            :data:`~cladewise.geometry.dtypes.MARGIN` of the precision by default.

    Raises:
        InputError: The curvature is negative, or the inner radius exceeds the outer one.

    Example:
        >>> project(torch.tensor([[3.0, 4.0], [0.0, 0.0]]), inner=0.1, margin=1e-5)
        tensor([[0.6000, 0.8000],
                [0.1000, 0.0000]])
    """
    if not curvature >= 0:
        raise InputError("a curvature of at least 0", curvature)
    dtype = result_dtype(x)
    outer = (1 - (MARGIN[dtype] if margin is None else margin)) / curvature**0.5 if curvature else torch.inf
    if not 0 <= inner <= outer:
        raise InputError(f"an inner radius from 0 to {outer:g}", inner)
    (wide,) = widened(x)
    norm = root(_square(wide))
    first = torch.nn.functional.one_hot(torch.zeros((), dtype=torch.int64, device=x.device), x.shape[-1]).to(wide.dtype)
    wanted = norm.clamp(inner, outer)
    moved = torch.where(norm > 0, wide * (wanted / torch.where(norm > 0, norm, 1.0)), wanted * first)
    return torch.where(norm == wanted, wide, moved).to(dtype)


def clip_norm(v: Float[Tensor, "*batch dim"], radius: float) -> Float[Tensor, "*batch dim"]:
    r"""Clip the norm of vectors to a radius: :math:`v \min(1, r / \|v\|)`.

    Features are clipped before :func:`exp_origin`, so that none is mapped to where gradients vanish.

    Args:
        v: Vectors.
        radius: Largest norm r > 0.

    Raises:
        InputError: The radius is not above zero.

    Example:
        >>> clip_norm(torch.tensor([3.0, 4.0]), 1.0)
        tensor([0.6000, 0.8000])

    References: Guo, Wang, Chen, Yu, Clipped Hyperbolic Classifiers Are Super-Hyperbolic Classifiers, CVPR 2022,
        arXiv:2107.11472.
    """
    if not radius > 0:
        raise InputError("a radius above 0", radius)
    (wide,) = widened(v)
    norm = root(_square(wide))
    return (wide * (radius / norm.clamp_min(radius))).to(result_dtype(v))


def lengthen(v: Float[Tensor, "*batch dim"], by: float) -> Float[Tensor, "*batch dim"]:
    r"""Add a length to the norms of vectors, keeping directions; norms do not become negative.

    .. math:: v \mapsto \max(0, \|v\| + r) \frac{v}{\|v\|}

    In Euclidean space it maps features to where apices of cones may lie, as :func:`exp_outside` does in the ball. The
    zero vector has no direction and stays.

    Args:
        v: Vectors.
        by: The length r; may be negative.

    Example:
        >>> lengthen(torch.tensor([[3.0, 4.0], [0.0, 0.0]]), 5.0)
        tensor([[6., 8.],
                [0., 0.]])

    References: the code of Dhall et al., 2020.
    """
    (wide,) = widened(v)
    norm = root(_square(wide))
    somewhere = norm > 0
    return (wide * torch.where(somewhere, torch.relu(norm + by) / torch.where(somewhere, norm, 1.0), 0.0)).to(
        result_dtype(v)
    )


def gap(x: Tensor, curvature: float, floor: float) -> Tensor:
    r""":math:`1 - c\|x\|^2`, with the last dimension kept, no smaller than at the margin of the boundary.

    Example:
        >>> gap(torch.tensor([0.5, 0.5]), 1.0, 1e-6)
        tensor([0.5000])
    """
    return (1 - curvature * _square(x)).clamp_min(floor)


def least_gap(dtype: torch.dtype) -> float:
    """The ``floor`` of :func:`gap` for a precision.

    Example:
        >>> least_gap(torch.float32)
        1.999999e-06
    """
    return MARGIN[dtype] * (2 - MARGIN[dtype])


def check_curvature(curvature: float) -> None:
    """Check that a curvature defines a ball.

    Raises:
        InputError: The curvature is nan or not above zero.
    """
    if not 0 < curvature < float("inf"):
        raise InputError("a curvature above 0", curvature, advice="The ball has radius 1 / sqrt(curvature).")


def _points(*tensors: Tensor, curvature: float) -> tuple[Tensor, ...]:
    check_curvature(curvature)
    return widened(*tensors)


def _floor(*tensors: Tensor) -> float:
    return least_gap(result_dtype(*tensors))


def _square(x: Tensor) -> Tensor:
    return (x * x).sum(-1, keepdim=True)


def _added(x: Tensor, y: Tensor, gap_x: Tensor, gap_y: Tensor, curvature: float) -> Tensor:
    r"""Möbius addition with given gaps, which a caller may know more precisely than the points."""
    total = x + y
    square = curvature * _square(total)
    return (gap_x * total + square * x) / (gap_x * gap_y + square).clamp_min(torch.finfo(x.dtype).tiny)


def _within(x: Tensor, dtype: torch.dtype, curvature: float) -> Tensor:
    """Move points inside the margin of the precision to which they will be rounded."""
    limit = (1 - MARGIN[dtype]) / curvature**0.5
    norm = root(_square(x))
    return x * torch.where(norm > limit, limit / norm.clamp_min(limit), 1.0)
