"""Cross-entropy of a softmax among the children of every node."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from cladewise.losses.loss import Loss, check_between, check_choice
from cladewise.ops import ancestors, at_least_float, path_sibling_nll, sibling_log_softmax, tree_index
from cladewise.predictions import SiblingSoftmax
from cladewise.taxonomy import Taxonomy

NodeWeights = Literal["none", "parent"]


def conditional_softmax_loss(
    logits: Float[Tensor, "*batch child"],
    target: Int[Tensor, "*batch"],
    taxonomy: Taxonomy,
    *,
    node_weights: NodeWeights = "none",
    label_smoothing: float = 0.0,
) -> Float[Tensor, "*batch"]:
    r"""Cross-entropy of each choice on the target's path, among the children of one node at a time.

    .. math:: \ell = \sum_{a \in A(t) \setminus \{root\}}
        w_a \Big(\operatorname{LSE}_{c \in C(\pi(a))} z_c - z_a\Big)

    With :math:`w = 1` this is the negative log-likelihood of the target. An only child contributes neither loss nor
    gradient, and logits outside the sibling groups of the path get no gradient.

    Args:
        logits: Score of every node but the root: ``logits[..., i]`` is node ``i + 1``.
        target: Node of every image; the path stops at an internal target, and the loss of the root is 0.
        taxonomy: The label tree.
        node_weights: ``"none"``: all 1. ``"parent"``: :math:`w_a = L / (K |B(\pi(a))|)`, with :math:`L` leaves,
            :math:`|B(v)|` of them at or under :math:`v`, and :math:`K` nodes with several children. If all leaves are
            equally frequent, each of those :math:`K` choices then has the same total weight.
        label_smoothing: Share of a leaf target's mass that is spread uniformly over all leaves, in [0, 1]. Internal
            targets are not smoothed.

    Example:
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
        >>> conditional_softmax_loss(torch.zeros(3, 4), torch.tensor([2, 1, 0]), t).exp()
        tensor([4., 2., 1.])

    References: Redmon and Farhadi, YOLO9000, CVPR 2017, arXiv:1612.08242. The weights are an option of the code of
        Valmadre, Hierarchical classification at multiple operating points, NeurIPS 2022, arXiv:2210.10929; that code
        smooths internal targets too.
    """
    scores = at_least_float(logits)
    edges = path_sibling_nll(scores, target, taxonomy)
    if node_weights == "parent":
        edges = edges * _weights_on_path(target, taxonomy, edges.dtype)
    loss = edges.sum(-1)
    if label_smoothing:
        even = -sibling_log_softmax(scores, taxonomy) @ _even_weights(scores, taxonomy, node_weights)
        at_leaf = tree_index(taxonomy, scores.device).height[target] == 0
        loss = torch.where(at_leaf, torch.lerp(loss, even, label_smoothing), loss)
    return loss


def _num_choices(taxonomy: Taxonomy) -> int:
    """Number of nodes with several children."""
    return max(1, int(np.count_nonzero(taxonomy.num_children > 1)))


def _weights_on_path(target: Tensor, taxonomy: Taxonomy, dtype: torch.dtype) -> Float[Tensor, "*batch depth"]:
    """Weight of every edge of the path by its parent's leaves; arbitrary below the target."""
    index = tree_index(taxonomy, target.device)
    above = ancestors(target, taxonomy)[..., :-1].clamp(min=0)
    num_leaves = index.num_leaves_under[above].to(dtype)
    return taxonomy.num_leaves / (_num_choices(taxonomy) * num_leaves)


def _even_weights(scores: Tensor, taxonomy: Taxonomy, node_weights: NodeWeights) -> Float[Tensor, " child"]:
    """Weight of the edge into every node, averaged over all leaves as targets."""
    under = taxonomy.num_leaves_under
    by_parent = _num_choices(taxonomy) * under[taxonomy.parents[1:]]
    share = under[1:] / (by_parent if node_weights == "parent" else taxonomy.num_leaves)
    return torch.as_tensor(share, dtype=scores.dtype, device=scores.device)


class ConditionalSoftmaxLoss(Loss):
    """Cross-entropy of a softmax among the children of every node; see :func:`conditional_softmax_loss`.

    Raises:
        InputError: ``node_weights`` is not known, or ``label_smoothing`` is not in [0, 1].

    Example:
        >>> loss = ConditionalSoftmaxLoss(Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)]))
        >>> loss.num_outputs, loss(torch.zeros(1, 4), torch.tensor([4])).exp()
        (4, tensor([2.]))
    """

    def __init__(self, taxonomy: Taxonomy, node_weights: NodeWeights = "none", label_smoothing: float = 0.0) -> None:
        super().__init__(taxonomy)
        check_choice(node_weights, get_args(NodeWeights), "node weights")
        check_between(label_smoothing, 0.0, 1.0, "a label smoothing")
        self.node_weights: NodeWeights = node_weights
        self.label_smoothing = label_smoothing

    @property
    def num_outputs(self) -> int:
        return self.taxonomy.num_nodes - 1

    def prediction(self, logits: Float[Tensor, "*batch out"]) -> SiblingSoftmax:
        return SiblingSoftmax(self.taxonomy, logits)

    def per_image(self, logits: Tensor, target: Tensor) -> Tensor:
        return conditional_softmax_loss(
            logits, target, self.taxonomy, node_weights=self.node_weights, label_smoothing=self.label_smoothing
        )
