"""Log-sum-exps and grouped sums over all pairs of rows in a batch, in chunks."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.autograd.function import once_differentiable

PAIRS_AT_ONCE = 1 << 20
"""Number of similarities held in memory at once."""


def logsumexp_of_others(
    rows: Float[Tensor, "row dim"],
    temperature: float,
    *,
    everyone: Float[Tensor, "other dim"] | None = None,
    first: int = 0,
) -> Float[Tensor, " row"]:
    r"""Log-sum-exp of each row's similarities to all others.

    .. math:: \log \sum_{j \ne i} \exp(\langle u_i, u_j \rangle / \tau)

    It costs one matrix product of the rows with the others, and three in the backward pass, in chunks. A single row
    gives -inf, without gradient.

    Args:
        rows: Rows of at most unit length.
        temperature: The temperature, > 0.
        everyone: The rows to compare with, including ``rows``; ``rows`` alone by default.
        first: Position of the first of ``rows`` in ``everyone``.

    Example:
        >>> logsumexp_of_others(torch.eye(3), 1.0)
        tensor([0.6931, 0.6931, 0.6931])
    """
    return _OthersLogSumExp.apply(rows, rows if everyone is None else everyone, first, 1 / temperature)


def _chunks(rows: Tensor, everyone: Tensor) -> list[slice]:
    size = max(1, PAIRS_AT_ONCE // max(1, len(everyone)))
    return [slice(start, min(start + size, len(rows))) for start in range(0, len(rows), size)]


def _similarities(rows: Tensor, everyone: Tensor, first: int, scale: float, some: slice) -> Tensor:
    """Similarities of some rows to all, -inf to themselves."""
    own = torch.arange(first + some.start, first + some.stop, device=rows.device)
    return (rows[some] @ everyone.mT).mul_(scale).scatter_(1, own[:, None], -torch.inf)


class _OthersLogSumExp(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor, everyone: Tensor, first: int, scale: float) -> Tensor:
        found = rows.new_empty(len(rows))
        for some in _chunks(rows, everyone):
            found[some] = _similarities(rows, everyone, first, scale, some).logsumexp(1)
        ctx.first, ctx.scale = first, scale
        ctx.save_for_backward(rows, everyone, found.masked_fill(found == -torch.inf, 0.0))
        return found

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride] -- the decorator hides the names
        ctx: Any, *grads: Tensor
    ) -> tuple[Tensor, Tensor, None, None]:
        rows, everyone, found = ctx.saved_tensors
        of_rows, of_everyone = torch.empty_like(rows), torch.zeros_like(everyone)
        for some in _chunks(rows, everyone):
            share = _similarities(rows, everyone, ctx.first, ctx.scale, some).sub_(found[some, None]).exp_()
            share.mul_(ctx.scale * grads[0][some, None])
            of_rows[some] = share @ everyone
            of_everyone.addmm_(share.mT, rows[some])
        return of_rows, of_everyone, None, None


class GroupedPairs(NamedTuple):
    """Pairs of each row with other rows, by their closest relation: finest first, unrelated last.

    Args:
        counts: Number of other rows in each relation, ``[row, relation]``.
        similarity: Sum of the inner products with them.
    """

    counts: Float[Tensor, "row relation"]
    similarity: Float[Tensor, "row relation"]


def pairs_by_group(unit: Float[Tensor, "row dim"], groups: Int[Tensor, "kind row"]) -> GroupedPairs:
    """Number of other rows that share a group with each row, and summed similarity to them, for nested groups.

    Another row counts for the finest kind of group that it shares, or in the last column if it shares none. Everything
    is computed from sums over groups, never pair by pair.

    Args:
        unit: The rows.
        groups: Group of each row, finest kind first; the groups of each kind are nested in those of the next.

    Example:
        >>> found = pairs_by_group(torch.eye(3), torch.tensor([[0, 0, 1], [0, 0, 0]]))
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
    return GroupedPairs(torch.stack(counts, 1) - before[0], torch.stack(similarity, 1) - before[1])


def group_of(labels: Int[Tensor, " row"]) -> tuple[Int[Tensor, " row"], Int[Tensor, " group"]]:
    """Index of the group of equal labels that each row belongs to, and the size of each group.

    Example:
        >>> group_of(torch.tensor([7, 3, 7]))
        (tensor([1, 0, 1]), tensor([1, 2]))
    """
    _, group, counts = labels.unique(return_inverse=True, return_counts=True)
    return group, counts
