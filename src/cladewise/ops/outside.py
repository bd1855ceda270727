"""Sums over everything but a range."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor


def sum_outside(
    values: Float[Tensor, "batch out"],
    row: Int[Tensor, " range"],
    start: Int[Tensor, " range"],
    end: Int[Tensor, " range"],
) -> Float[Tensor, " range"]:
    r"""Sum of the values before and after a range of a row, accurate however small it is beside the range itself.

    .. math:: y_i = \sum_{j < s_i} x_{r_i j} + \sum_{j \ge e_i} x_{r_i j}

    Nodes and leaves under a node are ranges in pre-order, so this is the mass that is not under it. No difference is
    taken: one minus the mass inside would be 0 as soon as that rounds to 1.

    Args:
        values: Values of at least 0.
        row: Row of each range.
        start: First position of each range.
        end: One past its last position.

    Example:
        >>> x = torch.tensor([[1e-20, 1.0, 1e-20]], dtype=torch.float64)
        >>> sum_outside(x, torch.tensor([0, 0]), torch.tensor([1, 0]), torch.tensor([2, 3])).tolist()
        [2e-20, 0.0]
    """
    before, after = _cumulative(values)
    return before[row, start] + after[row, end]


def sums_outside(
    values: Float[Tensor, "batch out"], start: Int[Tensor, " range"], end: Int[Tensor, " range"]
) -> Float[Tensor, "batch range"]:
    """:func:`sum_outside` for the same ranges of every row.

    Example:
        >>> x = torch.tensor([[1e-20, 1.0, 1e-20]], dtype=torch.float64)
        >>> sums_outside(x, torch.tensor([1, 0]), torch.tensor([2, 3])).tolist()
        [[2e-20, 0.0]]
    """
    before, after = _cumulative(values)
    return before.index_select(1, start).add_(after.index_select(1, end))


def _cumulative(values: Float[Tensor, "batch out"]) -> tuple[Tensor, Tensor]:
    """Sums before and from each position on, including the end."""
    zero = values.new_zeros(values.shape[0], 1)
    before = torch.cat([zero, values.cumsum(1)], 1)
    return before, torch.cat([values.flip(1).cumsum(1).flip(1), zero], 1)
