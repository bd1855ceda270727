"""Loss of differentiable diffusion: cross-entropy at every level, and restraint on wrong classes."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from cladewise import ops
from cladewise.predictions.prediction import held_by_skipping
from cladewise.predictions.taxonomy_cache import cached_for
from cladewise.taxonomy import Taxonomy

__all__ = ["level_loss", "restraint_weights"]

PAPER_RESTRAINT = (10.0, 5.0, 3.0, 1.0, 0.5, 0.2)
"""Weights of the restraint at the levels above the finest, coarse to fine, of the paper's trees of seven levels."""
LARGEST = 1 - 1e-6
"""Probability of a wrong class at which the restraint is clamped."""


def restraint_weights(num_levels: int, factor: float) -> tuple[float, ...]:
    """Weight of the restraint per level: the paper's, counted up from the finest level, which has none.

    Trees of more levels repeat the weight of the coarsest.

    Example:
        >>> restraint_weights(4, 1.0), restraint_weights(8, 1.0)[:3]
        ((1.0, 0.5, 0.2, 0.0), (10.0, 10.0, 5.0))
    """
    above = num_levels - 1
    if above < 0:
        return ()
    padded = (PAPER_RESTRAINT[0],) * (above - len(PAPER_RESTRAINT)) + PAPER_RESTRAINT
    return (*(factor * weight for weight in padded[len(padded) - above :]), 0.0)


def level_loss(
    leaf_scores: Float[Tensor, "batch leaf"],
    target: Int[Tensor, " batch"],
    taxonomy: Taxonomy,
    restraint: Sequence[float] = (),
    weights: Sequence[float] = (),
) -> Float[Tensor, " batch"]:
    r"""Cross-entropy at every level, plus a penalty on the most probable wrong class of each.

    .. math:: \ell = \sum_l -\alpha^l \log p^l_{a_l(t)} + \sum_l \beta^l \max_{k \ne a_l(t)} -\log (1 - p^l_k)

    where :math:`p^l` are the probabilities of the nodes of extended level :math:`l`, sums of a softmax over the leaves,
    and :math:`a_l(t)` is the target's node there. Levels finer than an internal target do not count.

    Args:
        leaf_scores: Scores of the leaves, before the softmax.
        target: True nodes.
        taxonomy: The label tree.
        restraint: :math:`\beta^l`, coarse to fine; no restraint if empty.
        weights: :math:`\alpha^l`, coarse to fine; 1 each if empty.

    Returns:
        Nats per image, not reduced.

    Example:
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d", "e")])
        >>> level_loss(torch.zeros(1, 3), torch.tensor([t.find("b")]), t)  # log 3/2 + log 3
        tensor([1.5041])
        >>> level_loss(torch.zeros(1, 3), torch.tensor([t.find("b")]), t, weights=(0, 1))
        tensor([1.0986])

    References: "Hierarchical classification via diffusion on manifolds", appendix B.2. As printed, Eq. 8 is always 0:
        its largest term over all classes is the true one's, 0. The maximum here is over the wrong classes.
    """
    levels, index = _levels(taxonomy, leaf_scores.device), ops.tree_index(taxonomy, leaf_scores.device)
    if not levels:
        return ops.at_least_float(leaf_scores).new_zeros(len(target))
    log_prob = ops.leaf_logsumexp(ops.at_least_float(leaf_scores).log_softmax(-1), taxonomy)
    shared = [level.number for level in levels if len(taxonomy.skipping(level.number))]
    held = [held_by_skipping(log_prob, taxonomy, level)[1] for level in shared]
    log_prob = torch.cat([log_prob, *held], dim=-1) if held else log_prob
    right = torch.stack([level.representative[target] for level in levels], dim=1)
    number = torch.tensor([level.number for level in levels], device=target.device)
    silent = (index.level[target, None] < number) & (index.height[target, None] > 0)
    loss = -log_prob.gather(-1, right)
    if len(weights):
        alpha = loss.new_tensor(weights)
        loss = (loss * alpha).masked_fill(alpha == 0, 0.0)
    if any(restraint):  # which class is the wrong one needs no gradient: the log-probabilities are gathered once
        wrong = torch.stack([_best_wrong(log_prob.detach(), level, right[:, k]) for k, level in enumerate(levels)], 1)
        p = log_prob.gather(-1, wrong).exp().clamp(max=LARGEST).masked_fill(wrong == right, 0.0)
        loss = loss - torch.log1p(-p) * p.new_tensor(restraint)
    return loss.masked_fill(silent, 0.0).sum(-1)


def _best_wrong(log_prob: Tensor, level: _Level, right: Tensor) -> Tensor:
    """Column of the most probable wrong class of a level; the right one if the level has no other."""
    if len(level.columns) == 1:
        return right
    among = log_prob.index_select(-1, level.columns).masked_fill(level.columns == right[:, None], -torch.inf)
    return level.columns[among.argmax(-1)]


@dataclasses.dataclass(frozen=True, eq=False)
class _Level:
    """Columns of the classes of a level: nodes, or the part of a node held by children that skip the level."""

    number: int
    columns: Int[Tensor, " level_node"]
    representative: Int[Tensor, " node"]


def _levels(taxonomy: Taxonomy, device: torch.device) -> list[_Level]:
    def build() -> list[_Level]:
        levels, width = list[_Level](), taxonomy.num_nodes
        for level in range(1, taxonomy.num_levels + 1):
            column = np.arange(taxonomy.num_nodes)
            parents = np.unique(taxonomy.parents[taxonomy.skipping(level)])
            column[parents] = width + np.arange(len(parents))
            width += len(parents)
            of_level = column[taxonomy.level_nodes(level)], column[taxonomy.at_level(level)]
            levels.append(_Level(level, *(torch.as_tensor(array, device=device) for array in of_level)))
        return levels

    return cached_for(taxonomy, ("levels of the loss", device), build)
