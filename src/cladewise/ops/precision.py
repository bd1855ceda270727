"""The minimum precision of log-space arithmetic."""

from __future__ import annotations

import torch
from torch import Tensor


def at_least_float(x: Tensor) -> Tensor:
    """The tensor in at least single precision: half is converted, double stays.

    Half precision has too few digits, and float16 too small a range, for sums over a tree.

    Example:
        >>> at_least_float(torch.zeros(1, dtype=torch.bfloat16)).dtype
        torch.float32
    """
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x
