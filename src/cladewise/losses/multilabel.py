"""Focal loss over independent sigmoids at every node."""

from __future__ import annotations

from typing import Literal, get_args

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import softplus

from cladewise.losses.loss import Loss, check_between, check_choice
from cladewise.ops import ancestors, at_least_float, tree_index
from cladewise.taxonomy import Taxonomy

Below = Literal["negative", "ignored"]


def multilabel_focal(
    logits: Float[Tensor, "*batch child"],
    target: Int[Tensor, "*batch"],
    taxonomy: Taxonomy,
    *,
    alpha: float = 0.95,
    gamma: float = 1.0,
    below: Below = "negative",
) -> Float[Tensor, "*batch"]:
    r"""Focal loss of a yes or no at every node, summed over the nodes.

    .. math:: \ell = -\alpha \sum_{v \in A(t)} \sigma(-z_v)^\gamma \log \sigma(z_v)
        - (1 - \alpha) \sum_{v \notin A(t)} \sigma(z_v)^\gamma \log \sigma(-z_v)

    where neither sum has the root. Half the summed binary cross-entropy at :math:`\gamma = 0, \alpha = 1/2`.

    Args:
        logits: Score of every node but the root: ``logits[..., i]`` is node ``i + 1``.
        target: Node of every image; internal nodes allowed.
        taxonomy: The label tree.
        alpha: Weight of the positives, in [0, 1]; of the negatives ``1 - alpha``.
        gamma: How much less a node counts that is already right, >= 0.
        below: What the nodes under an internal target are: ``"negative"``, as in the authors' code, or ``"ignored"``.

    Example:
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
        >>> multilabel_focal(torch.zeros(1, 4), torch.tensor([2]), t, alpha=0.5, gamma=0.0).mul(2).exp().round()
        tensor([16.])

    References: Lin et al., Focal loss for dense object detection, ICCV 2017, arXiv:1708.02002, over the nodes of a tree
        as in Valmadre, NeurIPS 2022, arXiv:2210.10929, whose published runs have these defaults.
    """
    path = ancestors(target, taxonomy)[..., 1:]
    scores = at_least_float(logits)
    negatives = _focal(scores, gamma).masked_fill(~_negative(target, path, taxonomy, below), 0.0)
    at_path = scores.gather(-1, (path - 1).clamp(min=0)) if taxonomy.num_nodes > 1 else scores
    positives = _focal(-at_path, gamma).masked_fill(path < 0, 0.0)
    return alpha * positives.sum(-1) + (1.0 - alpha) * negatives.sum(-1)


def _focal(against: Tensor, gamma: float) -> Tensor:
    """Focal loss of every score that should be low."""
    nats = softplus(against)
    return nats if gamma == 0.0 else torch.exp(gamma * (against - nats)) * nats


def _negative(target: Tensor, path: Tensor, taxonomy: Taxonomy, below: Below) -> Tensor:
    """Which nodes but the root are negatives."""
    index = tree_index(taxonomy, target.device)
    positive = torch.zeros((*target.shape, taxonomy.num_nodes), dtype=torch.bool, device=target.device)
    negative = ~positive.scatter_(-1, path.clamp(min=0), True)[..., 1:]
    if below == "ignored":
        node = torch.arange(1, taxonomy.num_nodes, device=target.device)
        negative &= (node < target[..., None]) | (node >= index.end[target][..., None])
    return negative


class MultilabelFocal(Loss):
    """Focal loss of a yes or no at every node; see :func:`multilabel_focal`.

    Raises:
        InputError: A setting is outside its range.

    Example:
        >>> loss = MultilabelFocal(Taxonomy.from_paths([("a", "b"), ("a", "c")]), alpha=0.5, gamma=0.0)
        >>> loss(torch.zeros(1, 3), torch.tensor([1])).mul(2).exp().round()
        tensor([8.])
    """

    def __init__(self, taxonomy: Taxonomy, alpha: float = 0.95, gamma: float = 1.0, below: Below = "negative") -> None:
        super().__init__(taxonomy)
        check_between(alpha, 0.0, 1.0, "an alpha")
        check_between(gamma, 0.0, 100.0, "a gamma")
        check_choice(below, get_args(Below), "what nodes below a target are")
        self.alpha, self.gamma = alpha, gamma
        self.below: Below = below

    @property
    def num_outputs(self) -> int:
        return self.taxonomy.num_nodes - 1

    def per_image(self, logits: Tensor, target: Tensor) -> Tensor:
        return multilabel_focal(logits, target, self.taxonomy, alpha=self.alpha, gamma=self.gamma, below=self.below)
