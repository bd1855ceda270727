"""Predictions with their leaves weighted by what else is known."""

from __future__ import annotations

import torch

from cladewise.predictions import LeafSoftmax, LeafWeights, Prediction
from cladewise.predictions.prediction import check_a_leaf


def weighed(prediction: Prediction, weights: LeafWeights) -> Prediction:
    r"""A prediction after its leaves are multiplied by weights, and renormalised.

    .. math:: p'_v = \frac{\sum_{l \in B(v)} p_l w_l}{\sum_l p_l w_l}

    for coherent heads, where :math:`B(v)` are the leaves at or under :math:`v`. Kinds that are not made of leaves say
    themselves what weights do to them (:meth:`~cladewise.predictions.Prediction.weighted`); all others are reduced to
    the scores by which their leaves compete.

    Raises:
        InputError: In some image every leaf with a weight was already ruled out.

    Example:
        >>> from cladewise import Taxonomy
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
        >>> weights = LeafWeights(t, torch.tensor([2.0, 1.0, 1.0]).log())
        >>> weighed(LeafSoftmax(t, torch.zeros(1, 3)), weights).log_prob.exp()
        tensor([[1.0000, 0.7500, 0.5000, 0.2500, 0.2500]])
    """
    prediction = prediction.settled()
    result = prediction.weighted(weights)
    if result is not None:
        return result
    scores = prediction.leaf_scores()
    if weights.only_cuts:
        scores = scores.masked_fill(weights.log_weight == -torch.inf, -torch.inf)
    else:
        scores = scores + weights.log_weight
    return check_a_leaf(LeafSoftmax(prediction.taxonomy, scores))
