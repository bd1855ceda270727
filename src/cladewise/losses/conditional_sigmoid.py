"""Binary cross-entropy of the yes-or-no questions that the target's path passes."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import softplus

from cladewise.losses.loss import Loss
from cladewise.ops import ancestors, at_least_float, tree_index
from cladewise.taxonomy import Taxonomy


def conditional_sigmoid(
    logits: Float[Tensor, "*batch child"], target: Int[Tensor, "*batch"], taxonomy: Taxonomy
) -> Float[Tensor, "*batch"]:
    r"""Binary cross-entropy of every node whose parent is on the target's path.

    .. math:: \ell = -\sum_{a \in A(t) \setminus \{root\}}
        \Big(\log \sigma(z_a) + \sum_{s \in S(a)} \log \sigma(-z_s)\Big)

    where :math:`S(a)` are the siblings of :math:`a`: a node is only asked about where its parent is right.

    Args:
        logits: Score of every node but the root: ``logits[..., i]`` is node ``i + 1``.
        target: Node of every image. Of an internal one nothing is known about its children, which are not asked about;
            the root costs nothing.
        taxonomy: The label tree.

    Example:
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
        >>> conditional_sigmoid(torch.zeros(2, 4), torch.tensor([2, 4]), t).exp().round()
        tensor([16.,  4.])

    References: Brust and Denzler, Integrating domain knowledge: using hierarchies to improve deep classifiers, ACPR
        2019, arXiv:1811.07125. Internal targets are our reading; there are none in the paper.
    """
    index = tree_index(taxonomy, logits.device)
    path = ancestors(target, taxonomy).clamp(min=0)
    on_path = torch.zeros((*target.shape, taxonomy.num_nodes), dtype=torch.bool, device=logits.device)
    on_path.scatter_(-1, path, True)
    positive = on_path[..., 1:]
    above = on_path.scatter(-1, target[..., None], False)
    asked = above[..., index.parents[1:]]
    scores = at_least_float(logits)
    return torch.where(asked, softplus(torch.where(positive, -scores, scores)), 0.0).sum(-1)


class ConditionalSigmoidLoss(Loss):
    """Binary cross-entropy along the target's path; see :func:`conditional_sigmoid`.

    Example:
        >>> loss = ConditionalSigmoidLoss(Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)]))
        >>> loss.num_outputs, loss(torch.zeros(1, 4), torch.tensor([4])).exp().round()
        (4, tensor([4.]))
    """

    @property
    def num_outputs(self) -> int:
        return self.taxonomy.num_nodes - 1

    def per_image(self, logits: Tensor, target: Tensor) -> Tensor:
        return conditional_sigmoid(logits, target, self.taxonomy)
