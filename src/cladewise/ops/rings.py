"""The rings around a target's path: log-sum-exps over them, and rows that are constant on them.

The ranges of a path are nested (see :mod:`cladewise.ops.nested`); the ring of a range is its part outside the next
inner range. All nodes and leaves in the ring of an ancestor have that ancestor as their lowest common ancestor with the
target. So a function of the lowest common ancestor needs one number per ring, not a table.
"""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.autograd.function import once_differentiable

from cladewise.ops import ancestors, tree_index
from cladewise.ops.kernels import by_rows, has_kernels
from cladewise.ops.segments import BLOCK, Segments
from cladewise.taxonomy import Taxonomy

SAFE = 40.0
"""Plain sums with results within ±SAFE are exact; see :mod:`cladewise.ops.nested`."""
CHUNK = 1 << 18
"""Values processed at a time, so that intermediates stay in the cache."""

Ranges = tuple[Int[Tensor, "batch range"], Int[Tensor, "batch range"]]
"""Starts and ends of the nested ranges of each row."""


def path_to(target: Int[Tensor, " batch"], taxonomy: Taxonomy) -> Int[Tensor, "batch depth"]:
    """Ancestor of each target at every depth, root first; positions below the target repeat it.

    Example:
        >>> t = Taxonomy.from_paths([("a", "b"), ("c",)])
        >>> path_to(torch.tensor([2, 3]), t).tolist()
        [[0, 1, 2], [0, 3, 3]]
    """
    path = ancestors(target, taxonomy)
    return torch.where(path >= 0, path, target[:, None])


def leaf_ranges(path: Int[Tensor, "batch depth"], taxonomy: Taxonomy) -> Ranges:
    """Ranges of leaf positions at or under each node of a path."""
    index = tree_index(taxonomy, path.device)
    return index.leaf_start[path], index.leaf_end[path]


def node_ranges(path: Int[Tensor, "batch depth"], taxonomy: Taxonomy) -> Ranges:
    """Ranges of nodes at or under each node of a path."""
    return path, tree_index(taxonomy, path.device).end[path]


def fill_rings(by_ring: Float[Tensor, "batch range"], ranges: Ranges, width: int) -> Float[Tensor, "batch out"]:
    """Rows of ``width`` values that are constant on each ring; the first range is the whole row.

    Example:
        >>> fill_rings(torch.tensor([[1.0, 2.0]]), (torch.tensor([[0, 1]]), torch.tensor([[4, 3]])), 4)
        tensor([[1., 2., 2., 1.]])
    """
    starts, ends = ranges
    bounds = torch.cat([starts, ends.flip(1)], dim=1)
    values = _by_segment(by_ring)
    size = starts.shape[0] * width
    return values.flatten().repeat_interleave(bounds.diff(dim=1).flatten(), output_size=size).view(-1, width)


def path_rings(
    scores: Float[Tensor, "batch node"],
    path: Int[Tensor, "batch depth"],
    target: Int[Tensor, " batch"],
    taxonomy: Taxonomy,
) -> tuple[Float[Tensor, "batch depth"], Float[Tensor, "batch depth"]]:
    """Score of each node of the target's path, and log-sum-exp over the subtrees of the siblings of the next one down.

    Nodes under the target count at the target's depth. Both are -inf below it, and where there are no nodes.

    Example:
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
        >>> target = torch.tensor([3, 1])
        >>> own, beside = path_rings(torch.zeros(2, 5), path_to(target, t), target, t)
        >>> own.exp(), beside.exp().round()
        (tensor([[1., 1., 1.],
                [1., 1., 0.]]), tensor([[1., 1., 0.],
                [1., 2., 0.]]))
    """
    index = tree_index(taxonomy, path.device)
    on_path = torch.arange(path.shape[1], device=path.device) <= index.depth[target, None]
    stop = index.end[path]
    begin = torch.where(on_path, path, stop)  # below the target: nothing, at its end
    starts = torch.stack([begin, torch.minimum(begin + 1, stop)], dim=-1).flatten(1)
    rings = ring_logsumexp(scores, (starts, stop.repeat_interleave(2, dim=1)))
    return rings[:, ::2], rings[:, 1::2]


def ring_logsumexp(values: Float[Tensor, "batch out"], ranges: Ranges) -> Float[Tensor, "batch range"]:
    """Log-sum-exp over the ring of each of the nested ranges, the innermost range being its own ring.

    The first range is the whole row. An empty ring gives -inf. No sum is computed as a difference of two others, so
    each ring is exact however small it is relative to the others.

    Example:
        >>> ring_logsumexp(torch.zeros(1, 6), (torch.tensor([[0, 2, 2]]), torch.tensor([[6, 5, 3]]))).exp().round()
        tensor([[3., 2., 1.]])
    """
    return ring_logsumexp_and_values(values, ranges, ranges[0][:, :0])[0]


def ring_logsumexp_and_values(
    values: Float[Tensor, "batch out"], ranges: Ranges, columns: Int[Tensor, "batch column"]
) -> tuple[Float[Tensor, "batch range"], Float[Tensor, "batch column"]]:
    """As :func:`ring_logsumexp`, plus the values in some columns, whose gradients go into the same buffer.

    Example:
        >>> rings, own = ring_logsumexp_and_values(torch.zeros(1, 6), torch.tensor([[[0]], [[6]]]), torch.tensor([[3]]))
        >>> rings.exp().round(), own
        (tensor([[6.]]), tensor([[0.]]))
    """
    function = _CompiledRingLogSumExp if has_kernels(values) else _RingLogSumExp
    return function.apply(values.contiguous(), *ranges, columns)


class _CompiledRingLogSumExp(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, starts: Tensor, ends: Tensor, columns: Tensor) -> tuple[Tensor, Tensor]:
        out = torch.empty(starts.shape, dtype=torch.float64)
        by_rows("ring_logsumexp_rows", values, starts, ends, out)
        ctx.save_for_backward(values, starts, ends, out, columns)
        return out.to(values.dtype, copy=True), values.gather(1, columns)

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride] -- the decorator hides the names
        ctx: Any, *grads: Tensor
    ) -> tuple[Tensor, None, None, None]:
        *saved, columns = ctx.saved_tensors
        grad = torch.empty_like(saved[0])
        by_rows("ring_logsumexp_gradient_rows", *saved, grads[0], grad)
        return grad.scatter_add_(1, columns, grads[1]), None, None, None


class _RingLogSumExp(torch.autograd.Function):
    """Plain sums of exponentials where they are exact to rounding, on a CPU; otherwise sums relative to a maximum."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, starts: Tensor, ends: Tensor, columns: Tensor) -> tuple[Tensor, Tensor]:
        ctx.cut = cut = Segments.between(values.shape[1], starts, ends)
        if values.is_cuda:
            rings = _logarithmic(values, cut)
        else:
            rings = _linear(values, cut)
            rows = _unsafe_rows(rings, starts, ends)
            if rows.numel():
                rings[rows] = _logarithmic(values[rows], Segments.between(values.shape[1], starts[rows], ends[rows]))
        ctx.save_for_backward(values, rings, columns)
        return rings, values.gather(1, columns)

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride] -- the decorator hides the names
        ctx: Any, *grads: Tensor
    ) -> tuple[Tensor, None, None, None]:
        values, rings, columns = ctx.saved_tensors
        cut: Segments = ctx.cut
        base, scale = _by_segment(rings.masked_fill(rings == -torch.inf, 0.0)), _by_segment(grads[0])
        block_base, block_scale = cut.spread_to_blocks(base, torch.inf), cut.spread_to_blocks(scale, 0.0)
        grad = torch.empty_like(values)
        for rows in _chunks(values):
            share = _blocks(grad[rows], cut)
            torch.sub(_blocks(values[rows], cut), block_base[rows, :, None], out=share)
            share.exp_().mul_(block_scale[rows, :, None])
        share = torch.exp(values.flatten()[cut.singles] - cut.spread_to_singles(base))
        grad.view(-1)[cut.singles] = share.mul_(cut.spread_to_singles(scale))
        return grad.scatter_add_(1, columns, grads[1]), None, None, None


def _linear(values: Tensor, cut: Segments) -> Tensor:
    blocks = values.new_empty(values.shape[0], cut.num_blocks)
    for rows in _chunks(values):
        blocks[rows] = _blocks(values[rows].exp(), cut).sum(-1)
    left, right = _halves(cut.sum(blocks, values.flatten()[cut.singles].exp_()))
    left[:, :-1] += right
    return left.log_()


def _logarithmic(values: Tensor, cut: Segments) -> Tensor:
    blocks = _blocks(values, cut).logsumexp(-1)
    left, right = _halves(cut.logsumexp(blocks, values.flatten()[cut.singles]))
    left[:, :-1] = torch.logaddexp(left[:, :-1], right)
    return left


def _unsafe_rows(rings: Tensor, starts: Tensor, ends: Tensor) -> Tensor:
    """Rows with a ring for which plain sums are not exact; an empty ring is safe."""
    size = ends - starts
    size = torch.cat([size[:, :-1] - size[:, 1:], size[:, -1:]], dim=1)
    return torch.nonzero(~((rings.abs() <= SAFE) | (size == 0)).all(dim=1)).squeeze(1)


def _halves(by_segment: Tensor) -> tuple[Tensor, Tensor]:
    """The parts to the left and to the right of the next inner range, by ring."""
    num_rings = by_segment.shape[1] // 2 + 1
    return by_segment[:, :num_rings].clone(), by_segment[:, num_rings:].flip(1)


def _chunks(values: Tensor) -> list[slice]:
    step = max(1, CHUNK // max(1, values.shape[1]))
    return [slice(i, i + step) for i in range(0, values.shape[0], step)]


def _blocks(values: Tensor, cut: Segments) -> Tensor:
    return values[:, : cut.num_blocks * BLOCK].unflatten(1, (cut.num_blocks, BLOCK))


def _by_segment(by_ring: Tensor) -> Tensor:
    return torch.cat([by_ring, by_ring[:, :-1].flip(1)], dim=1)
