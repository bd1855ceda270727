r"""Poincaré multinomial logistic regression: scores by signed distance to one hyperplane per class.

Hyperplanes of the ball are linear on the hyperboloid. With :math:`s = 2\sqrt{c}\,x / (1 - c\|x\|^2)` and
:math:`t = (1 + c\|x\|^2) / (1 - c\|x\|^2)`, the coordinates of x there, both published forms are

.. math:: \ell_k = \frac{2\|z_k\|}{\sqrt{c}} \operatorname{asinh}(\langle s, n_k\rangle - t\, m_k)

with a normal :math:`(n_k, m_k)` that depends only on the class: one product of [batch, dim + 1] and [class, dim + 1],
without a batch × class × dim tensor. As c goes to 0 they become linear scores, :math:`4 \langle x - p_k, a_k \rangle`.

References: Ganea, Bécigneul, Hofmann, Hyperbolic Neural Networks, NeurIPS 2018, arXiv:1805.09112. Shimizu, Mukuta,
Harada, Hyperbolic Neural Networks++, ICLR 2021, arXiv:2006.08210.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from cladewise.errors import InputError
from cladewise.geometry.ball import check_curvature, exp_origin, gap, least_gap
from cladewise.geometry.dtypes import result_dtype, widened
from cladewise.geometry.smooth import root
from cladewise.tracing import is_traced

FARTHEST = 50.0
"""Largest hyperbolic offset of a hyperplane: no point of the ball in double precision lies beyond it."""


def unidirectional_logits(
    x: Float[Tensor, "*batch dim"],
    directions: Float[Tensor, "class dim"],
    offsets: Float[Tensor, " class"],
    *,
    curvature: float = 1.0,
) -> Float[Tensor, "*batch class"]:
    r"""Scores by hyperplanes perpendicular to the ray along a class's direction, at its offset.

    .. math:: \ell_k = \frac{2\|z_k\|}{\sqrt{c}} \operatorname{asinh} \frac{2\sqrt{c}\langle x, \hat{z}_k\rangle
        \cosh(2\sqrt{c}\,r_k) - (1 + c\|x\|^2)\sinh(2\sqrt{c}\,r_k)}{1 - c\|x\|^2}

    Args:
        x: Points of the ball.
        directions: :math:`z_k`, Euclidean parameters; a zero vector gives score 0.
        offsets: :math:`r_k`, Euclidean lengths.
        curvature: c > 0.

    Raises:
        InputError: The shapes do not match, or the curvature is not above zero.

    Example:
        >>> x = torch.tensor([[0.5, 0.0], [0.0, 0.0]])
        >>> unidirectional_logits(x, torch.tensor([[1.0, 0.0]]), torch.zeros(1))
        tensor([[2.1972],
                [0.0000]])

    References: Shimizu et al., 2021, Eq. 6.
    """
    check_curvature(curvature)
    _check_shapes(x, directions, offsets[..., None], at="directions and offsets", width=1)
    z, r = widened(directions, offsets)
    unit, length = _unit(z)
    turn = (2 * curvature**0.5 * r[:, None]).clamp(-FARTHEST, FARTHEST)
    logits = _hyperplanes(x, torch.cat([unit * turn.cosh(), turn.sinh()], 1), length, curvature)
    return logits.to(result_dtype(x, directions, offsets))


def ganea_logits(
    x: Float[Tensor, "*batch dim"],
    points: Float[Tensor, "class dim"],
    normals: Float[Tensor, "class dim"],
    *,
    curvature: float = 1.0,
) -> Float[Tensor, "*batch class"]:
    r"""Scores by hyperplanes given by a point :math:`p_k = \exp_0(\tilde{p}_k)` and a normal per class.

    .. math:: \ell_k = \frac{\lambda_{p_k}\|a_k\|}{\sqrt{c}} \operatorname{asinh} \frac{2\sqrt{c}\langle w, a_k\rangle}
        {(1 - c\|w\|^2)\|a_k\|}, \qquad w = -p_k \oplus x, \quad a_k = (1 - c\|p_k\|^2)\,\tilde{a}_k

    It equals :func:`unidirectional_logits` if :math:`\tilde{p}_k = r_k \hat{z}_k` and :math:`\tilde{a}_k = z_k`.

    Args:
        x: Points of the ball.
        points: :math:`\tilde{p}_k`, tangent vectors at the origin.
        normals: :math:`\tilde{a}_k`, tangent vectors at the origin; a zero vector gives score 0.
        curvature: c > 0.

    Raises:
        InputError: The shapes do not match, or the curvature is not above zero.

    Example:
        >>> x = torch.tensor([[0.5, 0.0], [0.0, 0.0]])
        >>> ganea_logits(x, torch.zeros(1, 2), torch.tensor([[1.0, 0.0]]))
        tensor([[2.1972],
                [0.0000]])

    References: Ganea et al., 2018, Eq. 25.
    """
    check_curvature(curvature)
    _check_shapes(x, points, normals, at="points and normals", width=points.shape[-1])
    tangent, a = widened(points, normals)
    p = exp_origin(tangent, curvature=curvature)
    unit, length = _unit(a)
    tilt = (p * unit).sum(1, keepdim=True) / gap(p, curvature, least_gap(p.dtype))
    normal = torch.cat([unit + 2 * curvature * tilt * p, 2 * curvature**0.5 * tilt], 1)
    return _hyperplanes(x, normal, length, curvature).to(result_dtype(x, points, normals))


def _hyperplanes(x: Tensor, normal: Tensor, length: Tensor, curvature: float) -> Tensor:
    (point,) = widened(x)
    near = gap(point, curvature, least_gap(result_dtype(x)))
    time = 2 / near - 1
    lifted = torch.cat([2 * curvature**0.5 * point / near, -time], -1)
    return _asinh(lifted @ normal.T) * (2 / curvature**0.5 * length[:, 0])


def _asinh(x: Tensor) -> Tensor:
    """Inverse hyperbolic sine; written out for exporters, since onnxruntime has none in double precision."""
    if not is_traced():
        return torch.asinh(x)
    size = x.abs()
    return x.sign() * torch.log(1 + (size + size * size / (1 + (1 + size * size).sqrt())))


def _unit(vectors: Tensor) -> tuple[Tensor, Tensor]:
    """Directions and lengths [class, 1]; both are zero for a zero vector."""
    length = root((vectors * vectors).sum(1, keepdim=True))
    return vectors / torch.where(length > 0, length, 1.0), length


def _check_shapes(x: Tensor, first: Tensor, second: Tensor, *, at: str, width: int) -> None:
    fits = first.ndim == 2 and x.shape[-1:] == first.shape[1:] and second.shape == (first.shape[0], width)
    if not fits:
        shapes = f"shapes {list(x.shape)}, {list(first.shape)} and {list(second.shape)}"
        raise InputError("points [*batch, dim] and parameters of as many classes and dimensions", shapes, at=at)
