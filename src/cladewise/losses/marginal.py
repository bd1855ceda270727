"""Marginalisation: a cross-entropy at every level, of a softmax over the leaves."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from cladewise.losses.loss import Loss
from cladewise.ops import at_least_float, at_levels, nested_logsumexp, speaks, tree_index
from cladewise.predictions import LeafSoftmax
from cladewise.taxonomy import Taxonomy


def marginal_softmax_loss(
    logits: Float[Tensor, "*batch leaf"], target: Int[Tensor, "*batch"], taxonomy: Taxonomy
) -> Float[Tensor, "*batch"]:
    r"""Negative log-likelihood of the target's ancestor at every level, summed over the levels.

    .. math:: \ell = \sum_k \Big(\operatorname{LSE}_l z_l - \operatorname{LSE}_{l \in B(t_k)} z_l\Big)

    where :math:`t_k` represents the target at level :math:`k`: its ancestor there; the target itself if it is a leaf
    above the level; the next ancestor above if the path skips the level. Each term is the flat softmax loss at that
    node, so the sum is at least the cross-entropy of the leaf. Levels finer than an internal target do not contribute;
    the loss of the root is 0.

    Args:
        logits: Score of every leaf, by leaf position.
        target: Node of every image; internal nodes allowed.
        taxonomy: The label tree.

    Example:
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
        >>> marginal_softmax_loss(torch.zeros(4, 3), torch.tensor([2, 1, 4, 0]), t).exp()
        tensor([4.5000, 1.5000, 9.0000, 1.0000])

    References: Dhall et al., Hierarchical image classification using entailment cone embeddings, CVPRW 2020,
        arXiv:2004.03459, Eq. 7 (marginalization classifier). The released code sums probabilities and takes the
        logarithm; this is the same in log space.
    """
    index = tree_index(taxonomy, logits.device)
    scores, node = at_least_float(logits).reshape(-1, logits.shape[-1]), target.reshape(-1)
    path = torch.cat([torch.zeros_like(node)[:, None], at_levels(node, taxonomy)], dim=1)
    nested = nested_logsumexp(scores, index.leaf_start[path], index.leaf_end[path])
    nats = nested[:, :1] - nested[:, 1:]
    return torch.where(speaks(node, taxonomy), nats, 0.0).sum(-1).reshape(target.shape)


class MarginalSoftmaxLoss(Loss):
    """Cross-entropy at every level of a softmax over the leaves; see :func:`marginal_softmax_loss`.

    Example:
        >>> loss = MarginalSoftmaxLoss(Taxonomy.from_paths([("a", "b"), ("a", "c")]))
        >>> loss(torch.zeros(1, 2), torch.tensor([2])).exp()
        tensor([2.])
    """

    @property
    def num_outputs(self) -> int:
        return self.taxonomy.num_leaves

    def prediction(self, logits: Float[Tensor, "*batch out"]) -> LeafSoftmax:
        return LeafSoftmax(self.taxonomy, logits)

    def per_image(self, logits: Tensor, target: Tensor) -> Tensor:
        return marginal_softmax_loss(logits, target, self.taxonomy)
