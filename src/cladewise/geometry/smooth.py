r"""Functions of the form f(s)/s that stay smooth at zero, as functions of the *square* of s.

:math:`\tanh(s)/s` and similar functions are even in :math:`s`, so they are smooth in :math:`q = s^2`; and a squared
norm is smooth in its vector, unlike the norm. Near zero, a power series replaces the quotient.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

SMALL = 1e-3
"""Squares below which the series is used: its first omitted term is below 1e-18 there."""

TANH = (1.0, -1 / 3, 2 / 15, -17 / 315, 62 / 2835, -1382 / 155925)
ASINH = (1.0, -1 / 6, 3 / 40, -5 / 112, 35 / 1152, -63 / 2816)
ARTANH = (1.0, 1 / 3, 1 / 5, 1 / 7, 1 / 9, 1 / 11)


def root(q: Tensor) -> Tensor:
    """Square root with zero gradient at zero: for a squared norm, the subgradient without a preferred direction.

    Example:
        >>> root(torch.tensor([0.0, 4.0]))
        tensor([0., 2.])
    """
    positive = q > 0
    return torch.where(positive, torch.where(positive, q, 1.0).sqrt(), 0.0)


def tanhc(q: Tensor) -> Tensor:
    r""":math:`\tanh(s) / s` of :math:`q = s^2`.

    Example:
        >>> tanhc(torch.tensor([0.0, 1.0]))
        tensor([1.0000, 0.7616])
    """
    return _quotient(q, torch.tanh, TANH)


def asinhc(q: Tensor) -> Tensor:
    r""":math:`\operatorname{asinh}(s) / s` of :math:`q = s^2`.

    Example:
        >>> asinhc(torch.tensor([0.0, 1.0]))
        tensor([1.0000, 0.8814])
    """
    return _quotient(q, torch.asinh, ASINH)


def artanhc(q: Tensor) -> Tensor:
    r""":math:`\operatorname{artanh}(s) / s` of :math:`q = s^2 < 1`.

    Example:
        >>> artanhc(torch.tensor([0.0, 0.25]))
        tensor([1.0000, 1.0986])
    """
    return _quotient(q, torch.atanh, ARTANH)


def sech_squared(q: Tensor) -> Tensor:
    r""":math:`1 - \tanh^2 s` of :math:`q = s^2`, accurate also where it is small.

    Example:
        >>> sech_squared(torch.tensor([0.0, 400.0]))
        tensor([1.0000e+00, 1.6993e-17])
    """
    small = q < 1
    decay = torch.exp(-2 * torch.where(small, 1.0, q).sqrt())
    return torch.where(small, 1 - q * tanhc(q) ** 2, 4 * decay / (1 + decay) ** 2)


def _quotient(q: Tensor, function: Callable[[Tensor], Tensor], series: Sequence[float]) -> Tensor:
    small = q < SMALL
    s = torch.where(small, 0.25, q).sqrt()  # the branch not taken must not divide by zero in the backward pass either
    near = torch.where(small, q, 0.0)
    value = torch.full_like(q, series[-1])
    for term in reversed(series[:-1]):
        value = value * near + term
    return torch.where(small, value, function(s) / s)
