"""Nonconformity scores of leaves, and of labels at any node."""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from cladewise.ops import ancestors, lca, tree_index
from cladewise.predictions import Prediction
from cladewise.taxonomy import Taxonomy

Score = Literal["lac", "aps"]


def leaf_scores(prediction: Prediction, score: Score) -> Float[Tensor, "image leaf"]:
    r"""Nonconformity of every leaf, lowest first in any set: minus log-probability, or the probability up to the leaf.

    ``"lac"`` is :math:`-\log p_j`, which orders leaves across images as :math:`1 - p_j` does. ``"aps"`` is the sum of
    the probabilities of the leaves at least as probable, itself included; of equally probable ones the first counts
    first.

    Args:
        prediction: Of images with one batch axis.
        score: Name of the score.

    Example:
        >>> from cladewise.predictions import LeafSoftmax
        >>> t = Taxonomy.from_paths([("a",), ("b",), ("c",)])
        >>> p = LeafSoftmax(t, torch.tensor([[0.5, 0.2, 0.3]]).log())
        >>> leaf_scores(p, "aps")
        tensor([[0.5000, 1.0000, 0.8000]])

    References: Sadinle, Lei and Wasserman, Least ambiguous set-valued classifiers with bounded error levels, JASA 2019;
        Romano, Sesia and Candès, Classification with valid and adaptive coverage, NeurIPS 2020, without randomisation.
    """
    leaves = tree_index(prediction.taxonomy, prediction.device).leaf_nodes
    log_prob = prediction.log_prob.index_select(1, leaves)
    if score == "lac":
        return -log_prob
    falling, order = log_prob.sort(dim=1, descending=True, stable=True)
    return torch.empty_like(log_prob).scatter_(1, order, falling.exp().cumsum(1))


def score_for_all_leaves(
    scores: Float[Tensor, "image leaf"], target: Int[Tensor, " image"], taxonomy: Taxonomy
) -> Float[Tensor, " image"]:
    """Highest score of the leaves under each label: from there on a set holds all that the label may be.

    Example:
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
        >>> score_for_all_leaves(torch.tensor([[1.0, 3.0, 2.0], [1.0, 3.0, 2.0]]), torch.tensor([1, 4]), t)
        tensor([3., 2.])
    """
    index = tree_index(taxonomy, scores.device)
    return scores.masked_fill(~_inside(scores, index.leaf_start[target], index.leaf_end[target]), -torch.inf).amax(1)


def score_for_common_ancestor(
    scores: Float[Tensor, "image leaf"], target: Int[Tensor, " image"], taxonomy: Taxonomy
) -> Float[Tensor, " image"]:
    """Score from which on the common ancestor of the best leaves is the label or above it; -inf if it always is.

    The ancestor leaves the subtree that has the best leaf but not the label as soon as any leaf outside that subtree is
    among the best ones.

    Example:
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
        >>> scores = torch.tensor([[1.0, 3.0, 2.0]]).expand(3, 3)
        >>> score_for_common_ancestor(scores, torch.tensor([2, 3, 4]), t)
        tensor([-inf, 2., 2.])
    """
    index = tree_index(taxonomy, scores.device)
    best = index.leaf_nodes[scores.argmin(1)]
    meeting = lca(best, target, taxonomy)
    step = (index.depth[meeting] + 1).clamp_max(index.max_depth)
    below = ancestors(best, taxonomy).gather(1, step[:, None]).squeeze(1)
    at_once = meeting == best
    below = torch.where(at_once, 0, below)
    outside = ~_inside(scores, index.leaf_start[below], index.leaf_end[below])
    first = scores.masked_fill(~outside, torch.inf).amin(1)
    return torch.where(at_once, -torch.inf, first)


def _inside(scores: Tensor, start: Tensor, end: Tensor) -> Tensor:
    place = torch.arange(scores.shape[1], device=scores.device)
    return (place >= start[:, None]) & (place < end[:, None])
