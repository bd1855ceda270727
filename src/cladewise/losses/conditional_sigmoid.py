"""Binary cross-entropy of each node given its parent, along the target's path."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.functional import softplus

from cladewise.losses.loss import Loss
from cladewise.ops import ancestors, at_least_float, tree_index
from cladewise.predictions import ConditionalSigmoid
from cladewise.taxonomy import Taxonomy


def conditional_sigmoid_loss(
    logits: Float[Tensor, "*batch child"], target: Int[Tensor, "*batch"], taxonomy: Taxonomy
) -> Float[Tensor, "*batch"]:
    r"""Binary cross-entropy of every node whose parent is on the target's path.

    .. math:: \ell = -\sum_{a \in A(t) \setminus \{root\}}
        \Big(\log \sigma(z_a) + \sum_{s \in S(a)} \log \sigma(-z_s)\Big)

    where :math:`S(a)` are the siblings of :math:`a`: a node contributes only if its parent is on the path.

    Args:
        logits: Score of every node but the root: ``logits[..., i]`` is node ``i + 1``.
        target: Node of every image. The children of an internal target are unlabelled and do not contribute; the loss
            of the root is 0.
        taxonomy: The label tree.

    Example:
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
        >>> conditional_sigmoid_loss(torch.zeros(2, 4), torch.tensor([2, 4]), t).exp().round()
        tensor([16.,  4.])

    References: Brust and Denzler, Integrating domain knowledge: using hierarchies to improve deep classifiers, ACPR
        2019, arXiv:1811.07125. Internal targets are our extension; the paper has none.
    """
    node = target.reshape(-1)
    image, scored, positive = _terms(node, taxonomy)
    scores = at_least_float(logits).reshape(node.numel(), taxonomy.num_nodes - 1)
    score = scores.flatten().index_select(0, image * scores.shape[1] + scored - 1)
    nats = softplus(torch.where(positive, -score, score))
    return nats.new_zeros(node.numel()).index_add(0, image, nats).reshape(target.shape)


def _terms(
    node: Int[Tensor, " image"], taxonomy: Taxonomy
) -> tuple[Int[Tensor, " term"], Int[Tensor, " term"], Bool[Tensor, " term"]]:
    """Image, node and label of each binary term: the concatenated sibling groups of every path."""
    index = tree_index(taxonomy, node.device)
    path = ancestors(node, taxonomy)
    image, place = torch.nonzero(path[:, 1:] >= 0, as_tuple=True)
    parent, right = path[image, place], path[image, place + 1]
    first = index.child_start[parent]
    size = index.child_start[parent + 1] - first
    edge = torch.repeat_interleave(size)
    scored = index.children[torch.arange(edge.numel(), device=node.device) + (first - size.cumsum(0) + size)[edge]]
    return image[edge], scored, scored == right[edge]


class ConditionalSigmoidLoss(Loss):
    """Binary cross-entropy along the target's path; see :func:`conditional_sigmoid_loss`.

    Example:
        >>> loss = ConditionalSigmoidLoss(Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)]))
        >>> loss.num_outputs, loss(torch.zeros(1, 4), torch.tensor([4])).exp().round()
        (4, tensor([4.]))
    """

    @property
    def num_outputs(self) -> int:
        return self.taxonomy.num_nodes - 1

    def prediction(self, logits: Float[Tensor, "*batch out"]) -> ConditionalSigmoid:
        return ConditionalSigmoid(self.taxonomy, logits)

    def per_image(self, logits: Tensor, target: Tensor) -> Tensor:
        return conditional_sigmoid_loss(logits, target, self.taxonomy)
