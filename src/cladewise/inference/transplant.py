"""Predictions over an altered tree, converted to the true tree."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from cladewise import ops
from cladewise.predictions import Coherence, LeafSoftmax, LevelSoftmax, Prediction
from cladewise.taxonomy.alteration import Alteration

__all__ = ["kept_levels", "transplant"]


def transplant(prediction: Prediction, change: Alteration) -> Prediction:
    r"""A prediction over the altered tree as one over the true tree.

    Leaves are the same in both, internal nodes need not be. So in general the leaves alone are carried over, each with
    the score :math:`z_l` by which it competes with all others (:class:`~cladewise.inference.BottomUp`), and summed up
    the true tree. Mass that internal nodes own is thereby given to the leaves in proportion to theirs:

    .. math:: \log p_v = \operatorname{LSE}_{l \in B(v)} z_l - \operatorname{LSE}_l z_l

    where :math:`B(v)` are the leaves at or under :math:`v` in the true tree. Where nodes were removed and nothing
    moved, every node that is left stands for the same leaves in both trees and keeps what the network says of it:

    - coherent heads: the sum over its leaves is its own probability already;
    - a softmax over all nodes stays one, in which the removed nodes own nothing;
    - anything else gives a softmax per level over the levels that are left, with the scores that it has there
      (:meth:`~cladewise.predictions.Prediction.level_log_prob`). A removed node has the sum of its leaves at the finest
      level, or the probability of a node below it where that is more. Where a path skips a level, so that the two
      trees' levels are not made of the same nodes, the leaves alone are carried over.

    Args:
        prediction: Over ``change.own``.
        change: The altered tree and the true one.

    Raises:
        InputError: The head scores no leaves.

    Example:
        >>> from cladewise import Taxonomy
        >>> from cladewise.taxonomy.surgery import without_levels
        >>> t = Taxonomy.from_paths([("a", "b", "c"), ("a", "d", "e"), ("f", "g", "h")])
        >>> change = without_levels(t, [2])
        >>> own = LevelSoftmax(change.own, torch.tensor([[0.0, 0.0, 1.0, 1.0, 1.0]]))
        >>> transplant(own, change).log_prob.exp()
        tensor([[1.0000, 0.5000, 0.3333, 0.3333, 0.3333, 0.3333, 0.5000, 0.3333, 0.3333]])
    """
    if change.is_none:
        return prediction
    if change.keeps_groups:
        levels = kept_levels(change)
        carried = prediction.carried_over(change, levels)
        if carried is not None:
            return carried
        if prediction.coherence is not Coherence.EXACT and levels:
            return _level_by_level(prediction, change, levels)
    order = torch.as_tensor(change.own_leaf, device=prediction.device)
    return LeafSoftmax(change.true, prediction.leaf_scores().index_select(-1, order))


def kept_levels(change: Alteration) -> tuple[int, ...]:
    """Levels of the true tree that the levels of the altered one are, coarse to fine; none where their nodes differ.

    Example:
        >>> from cladewise import Taxonomy
        >>> from cladewise.taxonomy.surgery import without_levels
        >>> kept_levels(without_levels(Taxonomy.from_paths([("a", "b", "c"), ("a", "d", "e")]), [2]))
        (1, 3)
    """
    own, true = change.own, change.true
    found: list[int] = []
    for level, name in enumerate(own.level_names, start=1):
        there = true.level_names.index(name) + 1 if name in true.level_names else 0
        if not np.array_equal(change.origin[own.level_nodes(level)], true.level_nodes(there)):
            return ()
        found.append(there)
    return tuple(found)


def _level_by_level(prediction: Prediction, change: Alteration, levels: tuple[int, ...]) -> LevelSoftmax:
    """One softmax for each level that is left, with the log-probabilities that the prediction has there."""
    parts: list[Tensor] = [prediction.level_log_prob(level).log_prob for level in range(1, len(levels) + 1)]
    return LevelSoftmax(change.true, ops.at_least_float(torch.cat(parts, dim=-1)), levels)
