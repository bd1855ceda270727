"""Batches spread over several processes: rows gathered from all of them, and sums over them."""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.autograd.function import once_differentiable


def gather_rows(rows: Tensor) -> tuple[Tensor, int]:
    """The rows of all processes, concatenated, and the position of this process's first row.

    Gradients return to the process that owns the row, summed over processes. When each process takes the mean of a loss
    over its own images and gradients are averaged over processes, the result equals that of one process with all
    images. Processes may have different numbers of rows, including none. A single process gets its own rows back.

    Example:
        >>> gather_rows(torch.tensor([1.0, 2.0]))
        (tensor([1., 2.]), 0)
    """
    if not _several():
        return rows, 0
    counts = _row_counts(rows)
    return _Gathered.apply(rows, counts), sum(counts[: dist.get_rank()])


def sum_over_processes(values: Tensor) -> Tensor:
    """Sum over all processes, without a gradient.

    Example:
        >>> sum_over_processes(torch.tensor(2.0))
        tensor(2.)
    """
    total = values.detach().clone()
    if _several():
        dist.all_reduce(total)
    return total


def _several() -> bool:
    """Whether several processes train together."""
    return dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1


def _row_counts(rows: Tensor) -> list[int]:
    """Number of rows in each process."""
    own = torch.tensor([len(rows)], device=rows.device)
    every = [torch.empty_like(own) for _ in range(dist.get_world_size())]
    dist.all_gather(every, own)
    return [int(size) for size in every]


class _Gathered(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor, counts: list[int]) -> Tensor:
        ctx.counts = counts
        padded = rows.new_zeros(max(counts), *rows.shape[1:])  # every process sends the same amount
        padded[: len(rows)] = rows
        every = [torch.empty_like(padded) for _ in counts]
        dist.all_gather(every, padded)
        return torch.cat([part[:count] for part, count in zip(every, counts, strict=True)])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        total = grads[0].contiguous().clone()
        dist.all_reduce(total)
        first = sum(ctx.counts[: dist.get_rank()])
        return total[first : first + ctx.counts[dist.get_rank()]], None
