"""Log-sum-exps over nested ranges of a row, reading each value once.

The ranges of a path, root first, nest: ``[s_0, e_0) ⊇ [s_1, e_1) ⊇ ...``. Their bounds cut the row into segments
``[s_0, s_1), [s_1, s_2), ..., [s_K, e_K), ..., [e_1, e_0)``. The two segments between a range and the next inner one
form a *ring*, and a range is the union of the rings inside it: a row costs one pass, not one per range.

The compiled kernel works from the innermost ring outwards with a running maximum. Plain torch has two equivalent
implementations. The *linear* one sums plain exponentials, which is exact to rounding while every result is well inside
the range of the number format, as is nearly always the case. Rows for which it is not are detected and recomputed by
the *logarithmic* one, which holds for any input.
"""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.autograd.function import once_differentiable

from cladewise.ops.functions import NestedLogSumExp
from cladewise.ops.kernels import has_kernels
from cladewise.ops.segments import BLOCK, Segments

SAFE = 40.0
"""Results within ±SAFE are exact: terms that underflow, below e^-87, are less than 1e-20 of them."""
CHUNK = 1 << 18
"""Values processed at a time, so that intermediates stay in the cache."""


def nested_logsumexp(
    values: Float[Tensor, "batch out"], starts: Int[Tensor, "batch range"], ends: Int[Tensor, "batch range"]
) -> Float[Tensor, "batch range"]:
    r"""Log-sum-exp over nested ranges of every row.

    .. math:: y_{bk} = \log \sum_{i = s_{bk}}^{e_{bk} - 1} e^{x_{bi}}

    The first range is the whole row; each further one is contained in the previous one and may equal it. An empty range
    gives -inf. The backward pass stores the values and the results, and nothing else of their size.

    Example:
        >>> nested_logsumexp(torch.zeros(1, 6), torch.tensor([[0, 2, 2]]), torch.tensor([[6, 5, 3]])).exp().round()
        tensor([[6., 3., 1.]])
    """
    function = NestedLogSumExp if has_kernels(values) else _NestedLogSumExp
    return function.apply(values.contiguous(), starts, ends)


class _NestedLogSumExp(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, starts: Tensor, ends: Tensor) -> Tensor:
        if values.is_cuda:
            out = _logarithmic(values, starts, ends)
        else:
            ctx.cut = Segments.between(values.shape[1], starts, ends)
            out = _linear(values, starts.shape[1], ctx.cut)
            rows = _unsafe_rows(out)
            if rows.numel():
                out[rows] = _logarithmic(values[rows], starts[rows], ends[rows])
        ctx.save_for_backward(values, starts, ends, out)
        return out

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride] -- the decorator hides the names
        ctx: Any, *grads: Tensor
    ) -> tuple[Tensor, None, None]:
        values, starts, ends, out = ctx.saved_tensors
        weight = grads[0].clone()  # weight of a value in ring k, relative to its share of range k
        for k in range(1, out.shape[1]):
            weight[:, k] += weight[:, k - 1] * (out[:, k] - out[:, k - 1]).exp().nan_to_num_(0.0)
        if values.is_cuda:
            return _logarithmic_gradient(values, starts, ends, out, weight), None, None
        grad = _linear_gradient(values, ctx.cut, out, weight)
        rows = _unsafe_rows(out)
        if rows.numel():
            grad[rows] = _logarithmic_gradient(values[rows], starts[rows], ends[rows], out[rows], weight[rows])
        return grad, None, None


def _unsafe_rows(out: Tensor) -> Tensor:
    """Rows for which the linear arithmetic is not exact, including those with infinities and nan.

    Used on a CPU only: on a GPU the check would force a synchronisation, and logarithmic arithmetic is cheap.
    """
    return torch.nonzero(~(out.abs() <= SAFE).all(dim=1)).squeeze(1)


def _linear(values: Tensor, num_ranges: int, cut: Segments) -> Tensor:
    blocks = values.new_empty(values.shape[0], cut.num_blocks)
    whole = cut.num_blocks * BLOCK
    for rows in _chunks(values):
        blocks[rows] = values[rows, :whole].exp().unflatten(1, (-1, BLOCK)).sum(-1)
    total = cut.sum(blocks, values.flatten()[cut.singles].exp_())
    rings = total[:, :num_ranges].clone()
    rings[:, :-1] += total[:, num_ranges:].flip(1)
    return rings.flip(1).cumsum(1).flip(1).log_()


def _linear_gradient(values: Tensor, cut: Segments, out: Tensor, weight: Tensor) -> Tensor:
    scale = _by_segment(weight * torch.exp(-out))
    blocks = cut.spread_to_blocks(scale, 0.0)
    grad = torch.empty_like(values)
    whole = cut.num_blocks * BLOCK
    for rows in _chunks(values):
        torch.exp(values[rows], out=grad[rows])
        grad[rows, :whole].unflatten(1, (-1, BLOCK)).mul_(blocks[rows, :, None])
    grad.view(-1)[cut.singles] = values.flatten()[cut.singles].exp_() * cut.spread_to_singles(scale)
    return grad


def _logarithmic(values: Tensor, starts: Tensor, ends: Tensor) -> Tensor:
    cut = Segments.between(values.shape[1], starts, ends)
    blocks = values[:, : cut.num_blocks * BLOCK].unflatten(1, (cut.num_blocks, BLOCK)).logsumexp(-1)
    total = cut.logsumexp(blocks, values.flatten()[cut.singles])
    rings = total[:, : starts.shape[1]].clone()
    rings[:, :-1] = torch.logaddexp(rings[:, :-1], total[:, starts.shape[1] :].flip(1))
    return rings.flip(1).logcumsumexp(1).flip(1)


def _logarithmic_gradient(values: Tensor, starts: Tensor, ends: Tensor, out: Tensor, weight: Tensor) -> Tensor:
    cut = Segments.between(values.shape[1], starts, ends)
    base = _by_segment(out.masked_fill(out == -torch.inf, 0.0))
    scale = _by_segment(weight)
    grad = torch.empty_like(values)
    main = cut.num_blocks * BLOCK
    blocks = values[:, :main].unflatten(1, (cut.num_blocks, BLOCK))
    share = torch.exp(blocks - cut.spread_to_blocks(base, torch.inf)[..., None])
    grad[:, :main] = share.mul_(cut.spread_to_blocks(scale, 0.0)[..., None]).flatten(1)
    share = torch.exp(values.flatten()[cut.singles] - cut.spread_to_singles(base))
    grad.view(-1)[cut.singles] = share * cut.spread_to_singles(scale)
    return grad


def _by_segment(by_ring: Tensor) -> Tensor:
    return torch.cat([by_ring, by_ring[:, :-1].flip(1)], dim=1)


def _chunks(values: Tensor) -> list[slice]:
    step = max(1, CHUNK // max(1, values.shape[1]))
    return [slice(i, i + step) for i in range(0, values.shape[0], step)]
