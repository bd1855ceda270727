r"""Pairwise distances and energies between [n, dim] and [m, dim], using O(n × m) memory.

Everything is a function of inner products, so the work is one matrix product and a few passes over [n, m], in tiles
that stay in the cache; only the result is stored for the backward pass. Single precision is multiplied in double:
:math:`\|x\|^2 - 2\langle x, y\rangle + \|y\|^2` of close points near the boundary has no correct digit in single.

Points closer to each other than 1e-7 of their norm, where double has no correct digit either, are treated as
coincident: their distance and angle are 0, and so is the gradient. For closer pairs, use the elementwise functions.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from cladewise.errors import InputError
from cladewise.geometry.ball import check_curvature, least_gap
from cladewise.geometry.cones import half_aperture
from cladewise.geometry.dtypes import result_dtype, widened
from cladewise.tracing import is_traced

TILE = 1 << 17
"""Pairs per tile: few enough to stay in the cache, enough for an efficient matrix product."""
TILE_SIDE = 256


def pairwise_distance(
    x: Float[Tensor, "n dim"], y: Float[Tensor, "m dim"], *, curvature: float = 1.0
) -> Float[Tensor, "n m"]:
    """Geodesic distance between every point of one set and every point of another.

    As :func:`~cladewise.geometry.distance` for all pairs. With float32 input at hyperbolic radius 10 the error is that
    of the input.

    Args:
        x: Points of the ball.
        y: Points of the ball.
        curvature: c > 0.

    Raises:
        InputError: The shapes are not [n, dim] and [m, dim], or the curvature is not above zero.

    Example:
        >>> pairwise_distance(torch.zeros(1, 2), torch.tensor([[0.0, 0.0], [0.5, 0.0]]))
        tensor([[0.0000, 1.0986]])
    """
    check_curvature(curvature)
    _check_sets(x, y)
    return _Distance.apply(x, y, curvature)


def pairwise_cone_energy(
    x: Float[Tensor, "n dim"], y: Float[Tensor, "m dim"], *, aperture: float = 0.1, curvature: float = 0.0
) -> Float[Tensor, "n m"]:
    """By how much every point y misses the cone at every apex x, in radians.

    As :func:`~cladewise.geometry.cone_energy` for all pairs.

    Args:
        x: Apices.
        y: Points.
        aperture: K > 0.
        curvature: c >= 0; 0 is Euclidean space.

    Raises:
        InputError: The shapes are not [n, dim] and [m, dim], or aperture or curvature are out of range.

    Example:
        >>> x, y = torch.tensor([[0.4, 0.0]]), torch.tensor([[0.8, 0.0], [0.1, 0.0]])
        >>> pairwise_cone_energy(x, y, curvature=1.0)
        tensor([[0.0000, 2.9300]])
    """
    _check_sets(x, y)
    psi = half_aperture(x.double() if x.device.type != "mps" else x, aperture=aperture, curvature=curvature)
    function = _cone_energy if is_traced() else _ConeEnergy.apply
    return function(x, y, psi, curvature)


def pairwise_order_energy(x: Float[Tensor, "n dim"], y: Float[Tensor, "m dim"]) -> Float[Tensor, "n m"]:
    """By how much every y misses the orthant of every x: :func:`~cladewise.geometry.order_energy` for all pairs.

    It is not a function of inner products, so dimensions are summed one at a time.

    Args:
        x: Vectors of the labels above.
        y: Vectors of the labels below.

    Raises:
        InputError: The shapes are not [n, dim] and [m, dim].

    Example:
        >>> pairwise_order_energy(torch.tensor([[1.0, 2.0]]), torch.tensor([[3.0, 2.0], [3.0, 0.0]]))
        tensor([[0., 4.]])
    """
    _check_sets(x, y)
    return (_order_energy if is_traced() else _OrderEnergy.apply)(x, y)


class _Distance(torch.autograd.Function):
    r"""With :math:`w = 2c\|x - y\|^2 / (g_x g_y)` it is :math:`\operatorname{arcosh}(1 + w) / \sqrt{c}`.

    The backward pass needs no further products: with :math:`t = \sqrt{c}\, d`, the derivative by w is
    :math:`1 / \sinh t`, and :math:`w / \sinh t = \tanh(t / 2)`.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, y: Tensor, curvature: float) -> Tensor:
        dtype = result_dtype(x, y)
        out = torch.empty(x.shape[0], y.shape[0], dtype=dtype, device=x.device)
        for columns, right in _sides(y, x.shape[0]):
            (gap_y, _), beyond = right.gap(curvature, dtype), right.square.T
            for rows, left in _sides(x, len(right.points)):
                (gap_x, _), norms = left.gap(curvature, dtype), left.square + beyond
                apart = torch.addmm(norms, left.points, right.points.T, beta=1 - _noise(norms), alpha=-2)
                w = apart.to(dtype).clamp_min_(0.0).mul_((2 * curvature / gap_x).to(dtype)).div_(gap_y.T.to(dtype))
                # arcosh(1 + w); torch's acosh is neither exact for small w nor vectorised
                torch.mul((w + 2).mul_(w).sqrt_().add_(w).log1p_(), curvature**-0.5, out=out[rows, columns])
        ctx.save_for_backward(x, y, out)
        ctx.curvature = curvature
        return out

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride] -- the decorator hides the names
        ctx: Any, *grads: Tensor
    ) -> tuple[Tensor | None, Tensor | None, None]:
        x, y, distance = ctx.saved_tensors
        c, (wants_x, wants_y, _) = ctx.curvature, ctx.needs_input_grad
        grad_x, grad_y = _no_gradients(x, y)
        for columns, right in _sides(y, x.shape[0]):
            gap_y, free_y = right.gap(c, distance.dtype)
            for rows, left in _sides(x, len(right.points)):
                gap_x, free_x = left.gap(c, distance.dtype)
                grad, here = grads[0][rows, columns], distance[rows, columns]
                grown = (here * c**0.5).expm1_()
                wide = grown + 2
                far = (grown / wide).mul_(grad)
                slope = (grown + 1).div_(wide.mul_(grown)).masked_fill_(here == 0, 0.0).mul_(grad)
                slope = slope.div_(gap_x.to(slope.dtype)).div_(gap_y.T.to(slope.dtype)).mul_(4).to(grad_x.dtype)
                if wants_x:
                    own = slope.sum(1, keepdim=True) + far.sum(1, keepdim=True) * free_x / gap_x
                    grad_x[rows] += (own * left.points).addmm_(slope, right.points, alpha=-1)
                if wants_y:
                    own = slope.sum(0)[:, None] + far.sum(0)[:, None] * free_y / gap_y
                    grad_y[columns] += (own * right.points).addmm_(slope.T, left.points, alpha=-1)
        scale = 2 * c**0.5
        return (
            grad_x.mul_(scale).to(x.dtype) if wants_x else None,
            grad_y.mul_(scale).to(y.dtype) if wants_y else None,
            None,
        )


class _ConeEnergy(torch.autograd.Function):
    r"""The angle is that of (across, along), computed from norms and inner products:

    .. math:: \text{across} = g_x \sqrt{\|x\|^2\|y\|^2 - \langle x, y\rangle^2}, \qquad
        \text{along} = \langle x, y\rangle (1 + c\|x\|^2) - \|x\|^2 (1 + c\|y\|^2)
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, y: Tensor, psi: Tensor, curvature: float) -> Tensor:
        dtype = result_dtype(x, y)
        out = torch.empty(x.shape[0], y.shape[0], dtype=dtype, device=x.device)
        for columns, right in _sides(y, x.shape[0]):
            for rows, left in _sides(x, len(right.points)):
                _, area, along = _cone_parts(left, right, curvature)
                across = area.sqrt_().mul_(left.gap(curvature, dtype)[0])
                angle = torch.atan2(across.to(dtype), along.to(dtype))
                torch.clamp_min(angle.sub_(psi[rows, None].to(dtype)), 0.0, out=out[rows, columns])
        ctx.save_for_backward(x, y, out)
        ctx.curvature = curvature
        return out

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride] -- the decorator hides the names
        ctx: Any, *grads: Tensor
    ) -> tuple[Tensor | None, Tensor | None, Tensor | None, None]:
        x, y, energy = ctx.saved_tensors
        c, (wants_x, wants_y, wants_psi, _) = ctx.curvature, ctx.needs_input_grad
        grad_x, grad_y = _no_gradients(x, y)
        grad_psi, tiny = torch.zeros_like(grad_x[:, :1]), torch.finfo(grad_x.dtype).tiny
        for columns, right in _sides(y, x.shape[0]):
            for rows, left in _sides(x, len(right.points)):
                grad = grads[0][rows, columns] * (energy[rows, columns] > 0)
                grad_psi[rows] -= grad.sum(1, keepdim=True)
                if not (wants_x or wants_y):
                    continue
                inner, area, along = _cone_parts(left, right, c)
                gap, norm_x = left.gap(c, energy.dtype)[0], left.square
                # d angle = (along d across - across d along) / (across^2 + along^2); d across divides by sqrt(area)
                weight = grad.to(inner.dtype).mul_(area > 0)
                weight.div_((area * gap.square()).addcmul_(along, along).clamp_min_(tiny))
                weight.mul_(area.clamp_min_(tiny).rsqrt())
                over, times = along.mul_(weight), area.mul_(weight)
                mix = torch.addcmul(times * (1 + c * norm_x), over, inner)
                if wants_x:
                    own = gap * (over @ right.square) + 2 * (times @ (1 + c * right.square))
                    if c:
                        own -= 4 * c * inner.mul_(times).sum(1, keepdim=True)
                    grad_x[rows] += own * left.points - gap * (mix @ right.points)
                if wants_y:
                    own = over.add_(times, alpha=2 * c).T @ (gap * norm_x)
                    grad_y[columns] += (own * right.points).addmm_(mix.T, gap * left.points, alpha=-1)
        return (
            grad_x.to(x.dtype) if wants_x else None,
            grad_y.to(y.dtype) if wants_y else None,
            grad_psi[:, 0] if wants_psi else None,
            None,
        )


def _cone_energy(x: Tensor, y: Tensor, psi: Tensor, curvature: float) -> Tensor:
    """All pairs in one tile, for an exporter."""
    dtype = result_dtype(x, y)
    left, right = (_Side(part, (part * part).sum(1, keepdim=True)) for part in widened(x, y))
    _, area, along = _cone_parts(left, right, curvature)
    across, along = (area.sqrt() * left.gap(curvature, dtype)[0]).to(dtype), along.to(dtype)
    # exporters give an angle of -π where the side across is 0 and that along is negative
    angle = torch.atan(across / torch.where(along == 0, 1.0, along)) + torch.where(along < 0, math.pi, 0.0)
    angle = torch.where(along == 0, torch.where(across > 0, math.pi / 2, 0.0), angle)
    return torch.clamp_min(angle - psi[:, None].to(dtype), 0.0)


class _Side(NamedTuple):
    """Points of a tile in double precision, and their squared norms [.., 1]."""

    points: Tensor
    square: Tensor

    def gap(self, curvature: float, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        """Gaps to the boundary [.., 1], and a mask of those not clamped to the margin."""
        gap, floor = 1 - curvature * self.square, least_gap(dtype)
        return gap.clamp_min(floor), gap > floor


def _sides(points: Tensor, num_others: int) -> Iterator[tuple[slice, _Side]]:
    """Slices of a set, with their points, for tiles with ``num_others`` points of the other set (or at most a side)."""
    for span in _spans(points.shape[0], num_others):
        (part,) = widened(points[span])
        yield span, _Side(part, (part * part).sum(1, keepdim=True))


def _cone_parts(x: _Side, y: _Side, curvature: float) -> tuple[Tensor, Tensor, Tensor]:
    """Inner products, squared areas of the parallelograms, and the component along, positive for coincident points."""
    inner = x.points @ y.points.T
    noise = _noise(inner)
    along = torch.addcmul(x.square * ((noise - 1) * (1 + curvature * y.square.T)), inner, 1 + curvature * x.square)
    area = ((1 - noise) * x.square * y.square.T).addcmul_(inner, inner, value=-1)
    return inner, area.clamp_min_(0.0), along


def _no_gradients(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    left, right = widened(x[:0], y[:0])
    return x.new_zeros(x.shape, dtype=left.dtype), y.new_zeros(y.shape, dtype=right.dtype)


class _OrderEnergy(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, y: Tensor) -> Tensor:
        ctx.save_for_backward(x, y)
        dtype = result_dtype(x, y)
        out = torch.zeros(x.shape[0], y.shape[0], dtype=dtype, device=x.device)
        above, below = x.T.to(dtype).contiguous(), y.T.to(dtype).contiguous()
        for rows, columns in _tiles(x, y):
            total = out[rows, columns]
            for general, special in zip(above[:, rows], below[:, columns], strict=True):
                missed = (general[:, None] - special).clamp_min_(0.0)
                total.addcmul_(missed, missed)
        return out

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride] -- the decorator hides the names
        ctx: Any, *grads: Tensor
    ) -> tuple[Tensor | None, Tensor | None]:
        x, y = ctx.saved_tensors
        dtype = grads[0].dtype
        above, below = x.T.to(dtype).contiguous(), y.T.to(dtype).contiguous()
        grad_above, grad_below = torch.zeros_like(above), torch.zeros_like(below)
        for rows, columns in _tiles(x, y):
            grad = grads[0][rows, columns].mul(2)
            for place, (general, special) in enumerate(zip(above[:, rows], below[:, columns], strict=True)):
                pull = (general[:, None] - special).clamp_min_(0.0).mul_(grad)
                grad_above[place, rows] += pull.sum(1)
                grad_below[place, columns] -= pull.sum(0)
        wants_x, wants_y = ctx.needs_input_grad
        return (
            grad_above.T.to(x.dtype) if wants_x else None,
            grad_below.T.to(y.dtype) if wants_y else None,
        )


def _order_energy(x: Tensor, y: Tensor) -> Tensor:
    """All pairs in one tile, for an exporter."""
    dtype = result_dtype(x, y)
    missed = [
        (above[:, None] - below).clamp_min(0.0) for above, below in zip(x.T.to(dtype), y.T.to(dtype), strict=True)
    ]
    total = torch.zeros_like(missed[0])
    for part in missed:
        total = total + part * part
    return total


def _tiles(x: Tensor, y: Tensor) -> Iterator[tuple[slice, slice]]:
    for columns in _spans(y.shape[0], x.shape[0]):
        for rows in _spans(x.shape[0], columns.stop - columns.start):
            yield rows, columns


def _spans(num_points: int, num_others: int) -> Iterator[slice]:
    """Slices for tiles with ``num_others`` points of the other set, or at most a tile side."""
    width = max(1, TILE // max(1, min(num_others, TILE_SIDE)))
    for start in range(0, num_points, width):
        yield slice(start, min(num_points, start + width))


def _noise(products: Tensor) -> float:
    """Relative rounding error of a difference of squares and products; it is subtracted, so that no residue remains."""
    return 16 * torch.finfo(products.dtype).eps


def _check_sets(x: Tensor, y: Tensor) -> None:
    if x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[1]:
        raise InputError("points [n, dim] and [m, dim]", f"shapes {list(x.shape)} and {list(y.shape)}")
