"""Scores at a temperature, and log-odds."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from cladewise.ops.logarithms import expm1
from cladewise.ops.precision import at_least_float

LEAST = -1e-7
"""Largest log-probability whose odds are taken, so that a probability that rounds to 1 has finite odds."""


def tempered(scores: Float[Tensor, "*batch k"], temperature: Float[Tensor, "*shape"]) -> Float[Tensor, "*batch k"]:
    """Scores divided by a temperature, in single precision at least; -inf stays, without a gradient.

    Example:
        >>> tempered(torch.tensor([1.0, -torch.inf]), torch.tensor(2.0))
        tensor([0.5000,   -inf])
    """
    values = at_least_float(scores)
    absent = values == -torch.inf
    return (values.masked_fill(absent, 0.0) / temperature.to(values)).masked_fill(absent, -torch.inf)


def log_complement(log_prob: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
    r"""Log of the complement of a probability, :math:`\log(1 - p)`; that of 1 is that of :math:`1 - 10^{-7}`.

    Example:
        >>> log_complement(torch.tensor([0.25, 0.0]).log()).exp()
        tensor([0.7500, 1.0000])
    """
    return torch.log(-expm1(log_prob.clamp_max(LEAST)))


def log_odds(log_prob: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
    r"""Log-odds of a probability, :math:`\log p - \log(1 - p)`; those of 1 are those of :math:`1 - 10^{-7}`.

    Example:
        >>> log_odds(torch.tensor([0.5, 0.0]).log())
        tensor([0., -inf])
    """
    return log_prob.clamp_max(LEAST) - log_complement(log_prob)
