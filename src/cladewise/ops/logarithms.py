"""Functions of logarithms that exporters write in a form which overflows or rounds to nothing.

Exactly torch's own functions, unless an exporter traces them (:func:`cladewise.tracing.traced`). Torch's exporter to
ONNX writes ``logsigmoid`` as the logarithm of a sigmoid, which is -inf below -104, ``logaddexp`` as the logarithm of a
sum of exponentials, infinite beyond ±104, and ``expm1`` and ``log1p`` by adding 1, which loses all small numbers.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from cladewise.tracing import is_traced

SMALL = 0.02
"""Largest argument for which the polynomials are exact to double precision."""


def log_sigmoid(x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    r"""Logarithm of the logistic function, :math:`\min(x, 0) - \log(1 + e^{-|x|})`.

    Example:
        >>> from cladewise.tracing import traced
        >>> x = torch.tensor([-1e4, 0.0, 1e4])
        >>> with traced():
        ...     bool((log_sigmoid(x) == F.logsigmoid(x)).all())
        True
    """
    return x.clamp_max(0.0) - log1p(torch.exp(-x.abs())) if is_traced() else F.logsigmoid(x)


def log_add(x: Float[Tensor, "*shape"], y: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    r"""Logarithm of a sum of exponentials, :math:`\log(e^x + e^y)`; -inf where both are.

    Example:
        >>> from cladewise.tracing import traced
        >>> with traced():
        ...     log_add(torch.tensor([-1e4, 1e4, -torch.inf]), torch.tensor([-1e4, -torch.inf, -torch.inf]))
        tensor([-9999.3066, 10000.0000,       -inf])
    """
    if not is_traced():
        return torch.logaddexp(x, y)
    peak = torch.maximum(x, y).clamp_min(torch.finfo(x.dtype).min)
    total = torch.exp(x - peak) + torch.exp(y - peak)
    return torch.where(total > 0, peak + total.clamp_min(torch.finfo(x.dtype).tiny).log(), -torch.inf)


def log1p(x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    r"""Logarithm of 1 plus a number, :math:`\log(1 + x)`, with all digits near 0.

    Example:
        >>> from cladewise.tracing import traced
        >>> with traced():
        ...     log1p(torch.tensor([1e-20, 1.0]))
        tensor([1.0000e-20, 6.9315e-01])
    """
    if not is_traced():
        return torch.log1p(x)
    near = x.clamp(-SMALL, SMALL)
    series = torch.full_like(x, 1 / 9)
    for k in range(8, 0, -1):
        series = 1 / k - near * series
    return torch.where(x.abs() < SMALL, near * series, torch.log(1 + x))


def expm1(x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    r"""Exponential minus 1, :math:`e^x - 1`, with all digits near 0.

    Example:
        >>> from cladewise.tracing import traced
        >>> with traced():
        ...     expm1(torch.tensor([-1e-20, -1.0]))
        tensor([-1.0000e-20, -6.3212e-01])
    """
    if not is_traced():
        return torch.expm1(x)
    near = x.clamp(-SMALL, SMALL)
    series = torch.ones_like(x)
    for k in range(7, 1, -1):
        series = 1 + series * near / k
    return torch.where(x.abs() < SMALL, near * series, torch.exp(x) - 1)
