"""Dtypes of geometry: computation in double, result precision, and the margin kept from the boundary of the ball."""

from __future__ import annotations

import torch
from torch import Tensor

MARGIN = {torch.float32: 1e-6, torch.float64: 1e-13}
"""Smallest distance to the boundary of the ball, as a share of its radius, at which hyperbolic distances are exact."""


def widened(*tensors: Tensor) -> tuple[Tensor, ...]:
    """The tensors in double precision, or in single if their device has no double.

    Near the boundary, ``1 - |x|^2`` is a small difference of large numbers, and so is the squared distance of close
    points computed from inner products: in single precision neither has a correct digit, even for inputs in single.

    Example:
        >>> widened(torch.zeros(1))[0].dtype
        torch.float64
    """
    return tuple(x.float() if x.device.type == "mps" else x.double() for x in tensors)


def result_dtype(*tensors: Tensor) -> torch.dtype:
    """Result precision of a computation from the tensors: theirs, but at least single.

    Example:
        >>> result_dtype(torch.zeros(1, dtype=torch.bfloat16))
        torch.float32
    """
    dtype = torch.float32
    for x in tensors:
        dtype = torch.promote_types(dtype, x.dtype)
    return dtype
