"""Novelty scores from shares, which sum to 1 under a node: the largest share, and the entropy."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from cladewise import ops
from cladewise.novelty.score import NoveltyScore, at_inner_nodes, bounded, of_parents
from cladewise.predictions import Prediction


@dataclasses.dataclass(frozen=True)
class MaxShare(NoveltyScore):
    r"""The largest share of what is known under a node, as a surprise in nats: maximum softmax probability.

    .. math:: s_v = -\log \max_u \frac{p_u}{\sum_{u'} p_{u'}}

    over the leaves or the children :math:`u` of :math:`v`. It is 0 if there is one, and at most the log of their
    number. Leaves compete by :meth:`~cladewise.predictions.Prediction.leaf_scores`, children by
    :meth:`~cladewise.predictions.Prediction.sibling_scores`.

    Args:
        over: The ``"leaves"`` or the ``"children"`` of a node.

    Example:
        >>> from cladewise import Taxonomy
        >>> from cladewise.predictions import LeafSoftmax
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
        >>> p = LeafSoftmax(t, torch.tensor([[0.6, 0.2, 0.2]]).log())
        >>> (-MaxShare()(p)).exp(), (-MaxShare("children")(p)).exp()  # at the root and at a
        (tensor([[0.6000, 0.7500]]), tensor([[0.8000, 0.7500]]))

    References: Hendrycks and Gimpel, A baseline for detecting misclassified and out-of-distribution examples in neural
        networks, ICLR 2017, arXiv:1610.02136, at every node.
    """

    name: ClassVar[str] = "max-share"

    def of_leaves(self, prediction: Prediction) -> Float[Tensor, "*batch inner"]:
        log_prob, under = leaf_distribution(prediction)
        leaves = ops.tree_index(prediction.taxonomy, log_prob.device).leaf_nodes
        best = ops.subtree_max(torch.full_like(under, -torch.inf).index_copy(-1, leaves, log_prob), prediction.taxonomy)
        return at_inner_nodes((under - best).clamp_min(0), prediction)

    def of_all_leaves(self, prediction: Prediction) -> Float[Tensor, "*batch"]:
        return -bounded(prediction.leaf_scores()).log_softmax(-1).amax(-1)

    def of_children(self, prediction: Prediction) -> Float[Tensor, "*batch inner"]:
        return -of_parents(child_log_shares(prediction), prediction, "amax")


@dataclasses.dataclass(frozen=True)
class Entropy(NoveltyScore):
    r"""Entropy of the shares of what is known under a node, in nats.

    .. math:: s_v = -\sum_u q_u \log q_u, \qquad q_u = \frac{p_u}{\sum_{u'} p_{u'}}

    over the leaves or the children :math:`u` of :math:`v`. It is 0 if there is one, and at most the log of their
    number. Over leaves it follows from the children's, :math:`s_v = H_v + \sum_{c \in C(v)} q_c s_c`, so that nodes
    of very little probability have accurate values too.

    Args:
        over: The ``"leaves"`` or the ``"children"`` of a node.

    Example:
        >>> from cladewise import Taxonomy
        >>> from cladewise.predictions import LeafSoftmax
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",), ("e",)])
        >>> p = LeafSoftmax(t, torch.zeros(1, 4))
        >>> Entropy()(p).exp(), Entropy("children")(p).exp()  # at the root and at a
        (tensor([[4., 2.]]), tensor([[2.8284, 2.0000]]))

    References: the entropies of Wallin et al., ProHOC, CVPR 2025, arXiv:2503.21397, which are over children.
    """

    name: ClassVar[str] = "entropy"

    def of_leaves(self, prediction: Prediction) -> Float[Tensor, "*batch inner"]:
        _, under = leaf_distribution(prediction)
        index, found = ops.tree_index(prediction.taxonomy, under.device), torch.zeros_like(under)
        for level in reversed(index.by_depth):
            log_share = (under[..., level.children] - under[..., level.parent_of_child]).clamp_max(0)
            term = log_share.exp() * (found[..., level.children] - log_share)
            found = found.index_add(-1, level.parent_of_child, term)
        return at_inner_nodes(found, prediction)

    def of_all_leaves(self, prediction: Prediction) -> Float[Tensor, "*batch"]:
        log_prob = bounded(prediction.leaf_scores()).log_softmax(-1)
        return -(log_prob.exp() * log_prob).sum(-1)

    def of_children(self, prediction: Prediction) -> Float[Tensor, "*batch inner"]:
        log_share = child_log_shares(prediction)
        return of_parents(-log_share.exp() * log_share, prediction, "sum")


def leaf_distribution(prediction: Prediction) -> tuple[Float[Tensor, "*batch leaf"], Float[Tensor, "*batch node"]]:
    """Log-softmax of the leaf scores, and its log-sum-exp at every node."""
    log_prob = bounded(prediction.leaf_scores()).log_softmax(-1)
    return log_prob, ops.leaf_logsumexp(log_prob, prediction.taxonomy)


def child_log_shares(prediction: Prediction) -> Float[Tensor, "*batch child"]:
    """Log-share of every node but the root among its siblings, which sum to 1; they share alike if none has any."""
    values = bounded(prediction.sibling_scores().values)[..., 1:]
    return ops.sibling_log_softmax(values, prediction.taxonomy)
