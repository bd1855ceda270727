"""What the images of a batch that several processes share know of each other."""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from jaxtyping import Int
from torch import Tensor
from torch.autograd.function import once_differentiable


def shared() -> bool:
    """Whether several processes train together."""
    return dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1


def sizes(rows: Tensor) -> list[int]:
    """How many rows each process has."""
    own = torch.tensor([len(rows)], device=rows.device)
    every = [torch.empty_like(own) for _ in range(dist.get_world_size())]
    dist.all_gather(every, own)
    return [int(size) for size in every]


def of_everyone(rows: Tensor) -> tuple[Tensor, int]:
    """The rows of all processes one after another, and the place of the first that is ours.

    Gradients come back to the process whose row it is, summed over all: where each process takes the mean of a loss
    over its own images, and gradients are averaged over processes, they are those of one process with all images.
    Processes may have different numbers of rows, or none. A process alone has its own rows.

    Example:
        >>> of_everyone(torch.tensor([1.0, 2.0]))
        (tensor([1., 2.]), 0)
    """
    if not shared():
        return rows, 0
    counts = sizes(rows)
    return _Gathered.apply(rows, counts), sum(counts[: dist.get_rank()])


def summed(values: Tensor) -> Tensor:
    """Sum over all processes, without a gradient.

    Example:
        >>> summed(torch.tensor(2.0))
        tensor(2.)
    """
    total = values.detach().clone()
    if shared():
        dist.all_reduce(total)
    return total


class _Gathered(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor, counts: list[int]) -> Tensor:
        ctx.counts = counts
        padded = rows.new_zeros(max(counts), *rows.shape[1:])  # every process sends as much
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


def group_of(labels: Int[Tensor, " row"]) -> tuple[Int[Tensor, " row"], Int[Tensor, " group"]]:
    """Number of the group of equal labels that each row is in, and the size of each group.

    Example:
        >>> group_of(torch.tensor([7, 3, 7]))
        (tensor([1, 0, 1]), tensor([1, 2]))
    """
    _, group, counts = labels.unique(return_inverse=True, return_counts=True)
    return group, counts
