"""Log-sum-exps over groups of columns."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor


def grouped_logsumexp(
    values: Float[Tensor, "*batch k"], group: Int[Tensor, " k"], num_groups: int
) -> Float[Tensor, "*batch group"]:
    r"""Log-sum-exp of the columns of each group; -inf for an empty one.

    .. math:: y_g = \operatorname{LSE}_{i : \text{group}(i) = g} x_i

    A group of one column has its value, bit for bit.

    Example:
        >>> grouped_logsumexp(torch.tensor([[0.25, 0.5, 0.25]]).log(), torch.tensor([1, 1, 2]), 3).exp()
        tensor([[0.0000, 0.7500, 0.2500]])
    """
    into = group.expand_as(values)
    peak = values.new_full((*values.shape[:-1], num_groups), -torch.inf)
    peak = peak.scatter_reduce(-1, into, values.detach(), "amax").clamp_min(torch.finfo(values.dtype).min)
    total = torch.zeros_like(peak).scatter_add(-1, into, torch.exp(values - peak.gather(-1, into)))
    return torch.where(total > 0, peak + total.clamp_min(torch.finfo(total.dtype).tiny).log(), -torch.inf)
