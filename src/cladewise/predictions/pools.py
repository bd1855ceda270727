"""Ways of pooling the predictions of several images of one thing."""

from __future__ import annotations

import dataclasses
from typing import Literal, get_args

import torch
from jaxtyping import Float, Int
from torch import Tensor

from cladewise import ops
from cladewise.errors import InputError

Pool = Literal["mean", "product", "max"]
"""The way in which probabilities are pooled."""
POOLS: tuple[Pool, ...] = get_args(Pool)


@dataclasses.dataclass(frozen=True, eq=False)
class Pooling:
    """A function from log-probabilities per image to log-probabilities per group, up to a constant per group.

    Args:
        group: Group of each image, from 0.
        num_groups: Number of groups, none of them empty.
        pool: The way; see :func:`~cladewise.predictions.pooled`.

    Raises:
        InputError: There is no such way.

    Example:
        >>> Pooling(torch.tensor([0, 0, 1]), 2, "mean")(torch.tensor([[0.5], [0.25], [1.0]]).log()).exp()
        tensor([[0.3750],
                [1.0000]])
    """

    group: Int[Tensor, " image"]
    num_groups: int
    pool: Pool

    def __post_init__(self) -> None:
        if self.pool not in POOLS:
            raise InputError(f"a way of pooling: {', '.join(POOLS)}", repr(self.pool))

    def __call__(self, log_prob: Float[Tensor, "image k"]) -> Float[Tensor, "group k"]:
        sizes = torch.bincount(self.group, minlength=self.num_groups)[:, None]
        if self.pool == "mean":
            return ops.grouped_logsumexp(log_prob.mT, self.group, self.num_groups).mT - sizes.to(log_prob.dtype).log()
        shape = self.num_groups, log_prob.shape[1]
        if self.pool == "product":
            return log_prob.new_zeros(shape).index_add(0, self.group, log_prob) / sizes
        least = log_prob.new_full(shape, -torch.inf)
        return least.scatter_reduce(0, self.group[:, None].expand_as(log_prob), log_prob, "amax")
