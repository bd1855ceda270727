"""Binary cross-entropy of independent sigmoids at every node, averaged over the nodes."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import softplus

from cladewise.losses.loss import Loss
from cladewise.losses.multilabel import multilabel_focal_loss
from cladewise.ops import ancestors, at_least_float, tree_index
from cladewise.predictions import NodeSigmoid
from cladewise.taxonomy import Taxonomy


def multilabel_soft_margin_loss(
    logits: Float[Tensor, "*batch child"],
    target: Int[Tensor, "*batch"],
    taxonomy: Taxonomy,
    *,
    label_weights: Float[Tensor, " child"] | None = None,
) -> Float[Tensor, "*batch"]:
    r"""Binary cross-entropy of every node, averaged over the nodes.

    .. math:: \ell = -\frac{1}{N} \Big(\sum_{v \in A(t)} w_v \log \sigma(z_v)
        + \sum_{v \notin A(t) \cup De(t)} w_v \log \sigma(-z_v)\Big)

    where both sums exclude the root, :math:`N` is the number of other nodes, and :math:`w = 1` without weights. Nodes
    under an internal target are unlabelled and do not contribute; the loss of the root is 0.

    Args:
        logits: Score of every node but the root: ``logits[..., i]`` is node ``i + 1``.
        target: Node of every image; internal nodes allowed.
        taxonomy: The label tree.
        label_weights: Weight of the binary term of every node but the root, >= 0; see :func:`inverse_frequency`.

    Example:
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
        >>> (4 * multilabel_soft_margin_loss(torch.zeros(2, 4), torch.tensor([2, 1]), t)).exp().round()
        tensor([16.,  4.])

    References: Dhall et al., Hierarchical image classification using entailment cone embeddings, CVPRW 2020,
        arXiv:2004.03459, Eq. 5 (hierarchy-agnostic classifier), which is printed without its minus sign. The paper has
        neither leaves above the finest level, which have one score here, nor labels at internal nodes.
    """
    num_labels = max(1, taxonomy.num_nodes - 1)
    if label_weights is None:  # half the sum of the cross-entropies
        halves = multilabel_focal_loss(logits, target, taxonomy, alpha=0.5, gamma=0.0, below="ignored")
        return halves * (2.0 / num_labels)
    scores = at_least_float(logits).reshape(target.numel(), taxonomy.num_nodes - 1)
    node = target.reshape(-1)
    path = ancestors(node, taxonomy)[:, 1:]
    nowhere = scores.shape[1]
    sign = scores.new_ones(len(scores), nowhere + 1)
    sign.scatter_(1, torch.where(path > 0, path - 1, nowhere), -1.0)
    column = torch.arange(1, taxonomy.num_nodes, device=scores.device)
    below = (column > node[:, None]) & (column < tree_index(taxonomy, node.device).end[node, None])
    nats = softplus(scores * sign[:, :-1]).masked_fill(below, 0.0)
    return (nats @ label_weights.to(nats)).div(num_labels).reshape(target.shape)


def inverse_frequency(num_images: Int[Tensor, " node"], taxonomy: Taxonomy) -> Float[Tensor, " child"]:
    r"""Inverse-frequency weight of every label but the root, normalised to mean 1.

    .. math:: w_v \propto 1 / \max(1, n_v)

    where :math:`n_v` images are labelled at or under :math:`v`. A label without images is weighted like one with a
    single image.

    Args:
        num_images: Number of training images labelled with each node.
        taxonomy: The label tree.

    Example:
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
        >>> inverse_frequency(torch.tensor([0, 0, 2, 2, 1]), t).round(decimals=3)
        tensor([0.4440, 0.8890, 0.8890, 1.7780])

    References: Dhall et al., arXiv:2004.03459, appendix 7.4.3. The released code uses 1 / n unnormalised, which is
        infinite for a label without images.
    """
    end = torch.as_tensor(taxonomy.end.copy(), device=num_images.device)
    before = torch.cat([num_images.new_zeros(1), num_images.cumsum(0)])
    weights = 1.0 / (before[end] - before[:-1])[1:].clamp_min(1).float()
    return weights / weights.mean()


class MultilabelSoftMarginLoss(Loss):
    """Binary cross-entropy of independent sigmoids at every node; see :func:`multilabel_soft_margin_loss`.

    Args:
        taxonomy: The label tree.
        class_weights: Weight labels by inverse frequency, set by :meth:`for_labels`; 1 until then.
        label_weights: Custom weights.

    Example:
        >>> loss = MultilabelSoftMarginLoss(Taxonomy.from_paths([("a", "b"), ("a", "c")]))
        >>> (3 * loss(torch.zeros(1, 3), torch.tensor([2]))).exp().round()
        tensor([8.])
    """

    label_weights: Tensor | None

    def __init__(self, taxonomy: Taxonomy, class_weights: bool = False, label_weights: Tensor | None = None) -> None:
        super().__init__(taxonomy)
        self.class_weights = class_weights
        self.register_buffer("label_weights", label_weights, persistent=False)

    @property
    def num_outputs(self) -> int:
        return self.taxonomy.num_nodes - 1

    def prediction(self, logits: Float[Tensor, "*batch out"]) -> NodeSigmoid:
        return NodeSigmoid(self.taxonomy, logits)

    def for_labels(self, num_images: Int[Tensor, " node"]) -> Loss:
        if not self.class_weights:
            return self
        return MultilabelSoftMarginLoss(self.taxonomy, True, inverse_frequency(num_images, self.taxonomy))

    def per_image(self, logits: Tensor, target: Tensor) -> Tensor:
        return multilabel_soft_margin_loss(logits, target, self.taxonomy, label_weights=self.label_weights)
