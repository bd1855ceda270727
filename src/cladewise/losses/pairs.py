"""Sums over all pairs of a batch, a chunk of them in memory at a time."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.autograd.function import once_differentiable

PAIRS_AT_ONCE = 1 << 20
"""Similarities that are in memory at once."""


def logsumexp_of_others(unit: Float[Tensor, "row dim"], temperature: float) -> Float[Tensor, " row"]:
    r"""Log-sum-exp of each row's similarities to all other rows.

    .. math:: \log \sum_{j \ne i} \exp(\langle u_i, u_j \rangle / \tau)

    It costs one product of the rows with themselves, and three in the backward pass, in memory of a chunk. A row alone
    has -inf.

    Args:
        unit: Rows, of unit length or shorter.
        temperature: The temperature, > 0.

    Example:
        >>> logsumexp_of_others(torch.eye(3), 1.0)
        tensor([0.6931, 0.6931, 0.6931])
    """
    return _OthersLogsumexp.apply(unit, temperature)


def _chunks(num_rows: int) -> list[slice]:
    size = max(1, PAIRS_AT_ONCE // max(1, num_rows))
    return [slice(start, min(start + size, num_rows)) for start in range(0, num_rows, size)]


def _similarities(unit: Tensor, rows: slice, temperature: float) -> Tensor:
    """Of some rows to all, -inf to themselves."""
    found = unit[rows] @ unit.T / temperature
    own = torch.arange(rows.start, rows.stop, device=unit.device)
    return found.scatter_(1, own[:, None], -torch.inf)


class _OthersLogsumexp(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, unit: Tensor, temperature: float) -> Tensor:
        parts = [_similarities(unit, rows, temperature).logsumexp(1) for rows in _chunks(len(unit))]
        found = torch.cat(parts) if parts else unit.new_zeros(0)
        ctx.save_for_backward(unit, found)
        ctx.temperature = temperature
        return found

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        unit, found = ctx.saved_tensors
        grad = torch.zeros_like(unit)
        if len(unit) > 1:
            for rows in _chunks(len(unit)):
                weight = (_similarities(unit, rows, ctx.temperature) - found[rows, None]).exp_()
                weight *= grads[0][rows, None] / ctx.temperature
                grad[rows] += weight @ unit
                grad.addmm_(weight.T, unit[rows])
        return grad, None


class Relations(NamedTuple):
    """Pairs of each row with others, by how near the two are related: nearest first, strangers last.

    Args:
        counts: How many others are related so, ``[row, relation]``.
        similarity: Sum of the inner products with them.
    """

    counts: Float[Tensor, "row relation"]
    similarity: Float[Tensor, "row relation"]


def relations(unit: Float[Tensor, "row dim"], groups: Int[Tensor, "kind row"]) -> Relations:
    """How many others each row shares a group with, and how similar it is to them, group within group.

    An other counts for the first kind of group that it shares, and for none of them in the last column. Sums are those
    of groups, so nothing is done pair by pair.

    Args:
        unit: The rows.
        groups: Number of the group of each row, finest kind first; each kind's groups lie within those of the next.

    Example:
        >>> found = relations(torch.eye(3), torch.tensor([[0, 0, 1], [0, 0, 0]]))
        >>> found.counts.int().tolist()
        [[1, 1, 0], [1, 1, 0], [0, 2, 0]]
    """
    counts, similarity = [], []
    for kind in (*groups, torch.zeros(len(unit), dtype=torch.int64, device=unit.device)):
        _, place = kind.unique(return_inverse=True)
        most = int(place.max()) + 1 if len(place) else 0
        total = unit.new_zeros(most, unit.shape[1]).index_add(0, place, unit)
        counts.append(place.bincount(minlength=most)[place].to(unit.dtype))
        similarity.append((unit * total[place]).sum(1))
    own = [torch.ones_like(counts[0]), unit.square().sum(1)]
    before = [torch.stack([first, *rest[:-1]], 1) for first, rest in zip(own, (counts, similarity), strict=True)]
    return Relations(torch.stack(counts, 1) - before[0], torch.stack(similarity, 1) - before[1])
