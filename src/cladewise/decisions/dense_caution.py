"""Rules with a caution on all nodes of an image at once, in the form that an exporter can trace."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from cladewise import ops
from cladewise.decisions.caution import LEAST_DOUBT, NEAR_CERTAIN
from cladewise.decisions.dense import first_best, information_bits, leaves_under
from cladewise.predictions import Prediction
from cladewise.taxonomy import Taxonomy

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
    (:func:`at_only_children_of`).
    """
    taxonomy, device = prediction.taxonomy, prediction.device
    root = ops.tree_index(taxonomy, device).depth == 0
    log_prob = prediction.log_prob.double().clamp(max=0.0).masked_fill(root, 0.0)
    exact = prediction.all_outside().clamp(0.0, 1.0)
    near = (log_prob > NEAR_CERTAIN) & ~root
    outside = torch.where(near, exact, -ops.expm1(log_prob))
    log_prob = torch.where(near, ops.log1p(-exact.clamp_max(0.5)), log_prob)
    for parents in _chains(taxonomy, device):
        stands = _is_as_probable(prediction.log_prob, parents)
        log_prob, outside = (_with_child(values, parents, stands) for values in (log_prob, outside))
    bits = information_bits(taxonomy, device)
    return WeighedAll(log_prob, outside + LEAST_DOUBT * bits.square(), leaves_under(taxonomy, device), bits)


def at_only_children_of(prediction: Prediction, node: Int[Tensor, " image"]) -> Int[Tensor, " image"]:
    """The only child in place of an answer below the root, repeatedly, as long as it is as probable to rounding."""
    taxonomy, log_prob = prediction.taxonomy, prediction.log_prob
    for parents in reversed(_chains(taxonomy, node.device)):  # from the top
        stands = (node[:, None] == parents) & _is_as_probable(log_prob, parents)
        node = node + stands.any(1).to(node.dtype)
    return node


def _is_as_probable(log_prob: Float[Tensor, "image node"], parents: Int[Tensor, " k"]) -> Bool[Tensor, "image k"]:
    """Whether the only child of each of the nodes is as probable as the node, up to the rounding of sums."""
    here, below = log_prob.index_select(1, parents), log_prob.index_select(1, parents + 1)
    return below >= here - 8 * torch.finfo(log_prob.dtype).eps * here.abs().clamp_min(1.0)


def _with_child(
    values: Float[Tensor, "image node"], parents: Int[Tensor, " k"], stands: Bool[Tensor, "image k"]
) -> Float[Tensor, "image node"]:
    """The value of the only child in place of a node's own, for some nodes where a mask is true."""
    own, below = values.index_select(1, parents), values.index_select(1, parents + 1)
    return values.index_copy(1, parents, torch.where(stands, below, own))


def _chains(taxonomy: Taxonomy, device: torch.device) -> list[Int[Tensor, " k"]]:
    """Nodes below the root with exactly one child: first those whose child is none of them, then those above, ..."""
    single = taxonomy.num_children == 1
    single[0] = False
    left, last, found = np.flatnonzero(single), ~single, list[Tensor]()
    while left.size:
        now = left[last[left + 1]]
        found.append(torch.as_tensor(now, device=device))
        last[now] = True
        left = left[~last[left]]
    return found
