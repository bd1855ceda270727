"""Fixed-point numbers from 0 to 1, whose sums do not depend on their order."""

from __future__ import annotations

from jaxtyping import Float, Int
from torch import Tensor

UNITS = 1 << 40
"""Units per 1. Sums over up to eight million images fit, and a mean is off by less than one part in 10^12."""


def to_units(values: Float[Tensor, "*batch"]) -> Int[Tensor, "*batch"]:
    """Numbers from 0 to 1 as the nearest whole number of units.

    Example:
        >>> import torch
        >>> to_units(torch.tensor([0.0, 0.5, 1.0])).tolist() == [0, UNITS // 2, UNITS]
        True
    """
    return (values.double() * UNITS).round().long()


def mean_of_units(total: Int[Tensor, "*batch"], count: Int[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
    """Mean, in double precision, of ``count`` numbers whose units sum to ``total``; NaN if there are none."""
    return total.double() / UNITS / count
