"""Rules with a caution on all nodes of an image at once, in the form that an exporter can trace."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from numpy.typing import NDArray
from torch import Tensor

from cladewise import ops
from cladewise.decisions.caution import LEAST_DOUBT, NEAR_CERTAIN
from cladewise.decisions.dense import first_best
from cladewise.predictions import Prediction

EQUAL = 2.0**-42
"""Relative difference of two expected rewards up to which they are equal; a few thousand units in the last place."""


class WeighedAll(NamedTuple):
    """All nodes with what :class:`~cladewise.decisions.caution.Weighed` has of candidates, in double precision."""

    log_prob: Float[Tensor, "image node"]
    doubt: Float[Tensor, "image node"]
    leaves_under: Int[Tensor, " node"]
    bits: Float[Tensor, " node"]

    @property
    def log_odds(self) -> Float[Tensor, "image node"]:
        """Logarithm of the odds of each node, which tell probabilities near 1 apart."""
        return self.log_prob - self.doubt.log()

    def with_bonus(
        self, eligible: Bool[Tensor, " node"], caution: Float[Tensor, "#image #node"]
    ) -> Int[Tensor, " image"]:
        r"""The node with the largest expected information with a bonus for being right, :math:`p_v I(v) - \lambda d_v`.

        A caution is exactly that of a step of some image where it was fitted on that image, and is then not enough for
        the step: of rewards that are equal to rounding the node with the least doubt is chosen.
        """
        bonus = caution.clamp_min(0.0)
        worth, loss = self.log_prob.exp() * self.bits, bonus * self.doubt
        reward = torch.where(eligible, worth - loss, -torch.inf)
        slack = EQUAL * (worth + loss)
        enough = eligible & (reward + slack >= reward.amax(1, keepdim=True))
        return first_best(enough, -self.doubt, worth)


def weigh_all(prediction: Prediction) -> WeighedAll:
    """All nodes of a prediction with a single batch axis, with their doubt and information.

    A node below the root has the values of its only child where that is as probable, which is then what it stands for
    (:func:`stands_for`).
    """
    index = ops.tree_index(prediction.taxonomy, prediction.device)
    root = index.depth == 0
    log_prob = prediction.log_prob.double().clamp(max=0.0).masked_fill(root, 0.0)
    exact = prediction.all_outside().clamp(0.0, 1.0)
    near = (log_prob > NEAR_CERTAIN) & ~root
    outside = torch.where(near, exact, -ops.expm1(log_prob))
    log_prob = torch.where(near, ops.log1p(-exact.clamp_max(0.5)), log_prob)
    target = stands_for(prediction)
    if target is not None:
        log_prob, outside = log_prob.gather(1, target), outside.gather(1, target)
    bits = index.information_bits
    return WeighedAll(log_prob, outside + LEAST_DOUBT * bits.square(), index.num_leaves_under, bits)


def stands_for(prediction: Prediction) -> Int[Tensor, "image node"] | None:
    """The node that each node is answered as: below the root its only child, repeatedly, where that is as probable.

    An only child has the next number, so following the links is a few gathers, each of which doubles the steps. It is
    ``None`` where no node below the root has exactly one child.
    """
    taxonomy, log_prob = prediction.taxonomy, prediction.log_prob
    single = taxonomy.num_children == 1
    single[0] = False
    if not single.any():
        return None
    nodes = torch.arange(taxonomy.num_nodes, device=log_prob.device)
    below = log_prob.index_select(1, (nodes + 1).clamp_max(taxonomy.num_nodes - 1))
    rounding = 8 * torch.finfo(log_prob.dtype).eps * log_prob.abs().clamp_min(1.0)
    # as probable up to the rounding of sums; nothing is subtracted where both are -inf
    same = torch.as_tensor(single, device=log_prob.device) & ((below >= log_prob - rounding) | (below >= log_prob))
    target = nodes + same.to(torch.int64)
    for _ in range((_longest_chain(single) - 1).bit_length()):
        target = target.gather(1, target)
    return target


def at_only_children_of(prediction: Prediction, node: Int[Tensor, " image"]) -> Int[Tensor, " image"]:
    """The only child in place of an answer, as :func:`stands_for`."""
    target = stands_for(prediction)
    return node if target is None else target.gather(1, node[:, None]).squeeze(1)


def _longest_chain(single: NDArray[np.bool_]) -> int:
    """Length of the longest run of true values.

    Example:
        >>> _longest_chain(np.array([False, True, True, False, True]))
        2
    """
    ends = np.flatnonzero(np.diff(np.concatenate([[False], single, [False]]).astype(np.int8)))
    return int((ends[1::2] - ends[::2]).max(initial=0))
