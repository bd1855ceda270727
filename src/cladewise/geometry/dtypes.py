"""Precision of geometry: what is computed in double, and how near to the boundary of the ball a point may be."""

from __future__ import annotations

import torch
from torch import Tensor

MARGIN = {torch.float32: 1e-6, torch.float64: 1e-13}
"""Least share of the radius between a point and the boundary of the ball, at which its distance still has digits."""


def widened(*tensors: Tensor) -> tuple[Tensor, ...]:
    """The tensors in double precision, or in single where their device has no double.

    Near the boundary ``1 - |x|^2`` is a small difference of large numbers, and so is the squared distance of near
    points from their inner products: in single precision neither keeps a digit. The inputs may well be single.

    Example:
        >>> widened(torch.zeros(1))[0].dtype
        torch.float64
    """
    return tuple(x.float() if x.device.type == "mps" else x.double() for x in tensors)


def result_dtype(*tensors: Tensor) -> torch.dtype:
    """Precision of what is computed from the tensors: theirs, and single at least.

    Example:
        >>> result_dtype(torch.zeros(1, dtype=torch.bfloat16))
        torch.float32
    """
    dtype = torch.float32
    for x in tensors:
        dtype = torch.promote_types(dtype, x.dtype)
    return dtype
