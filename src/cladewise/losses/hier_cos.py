"""Hier-COS: a target distribution over the basis vectors of a path, and a sparsity term per depth."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor

from cladewise.errors import InputError
from cladewise.losses.loss import Loss
from cladewise.ops import tree_index
from cladewise.ops.frame import frame_divergence
from cladewise.predictions import SubspaceNorms
from cladewise.taxonomy import Taxonomy


def basis_weights(
    depth: Int[Tensor, "*batch"], max_depth: int, dtype: torch.dtype = torch.float32
) -> Float[Tensor, "*batch depth"]:
    r"""Target mass of the basis vectors on the path to a node, from depth 1 on; 0 below the node.

    .. math:: p_k = \frac{e^{2 / (m + 1 - k)}}{\sum_{i=1}^{m} e^{2 / (m + 1 - i)}}, \qquad k = 1, \dots, m

    for a node at depth :math:`m`, whose own basis vector has the largest share.

    Args:
        depth: Depth of each node; a root has no basis vector and gets zeros.
        max_depth: Number of depths below the root.
        dtype: Precision.

    Example:
        >>> basis_weights(torch.tensor([3, 1]), 3)
        tensor([[0.1616, 0.2255, 0.6129],
                [1.0000, 0.0000, 0.0000]])
    """
    place = torch.arange(1, max_depth + 1, device=depth.device)
    steps = depth[..., None] + 1 - place
    weight = torch.where(steps >= 1, torch.exp(2.0 / steps.clamp_min(1).to(dtype)), 0.0)
    return weight / weight.sum(-1, keepdim=True).clamp_min(1.0)


class HierCOSLoss(Loss):
    r"""Divergence of a vector's coordinates from the target's path, and a term that leaves one of them per depth.

    .. math:: \ell = \sum_{k=1}^{m} p_k \log \frac{p_k}{q_{a_k}} + \alpha \Big(\sum_{k=1}^{m}
        \Big\lVert e_{a_k} - \frac{|x_{(k)}|}{\lVert x_{(k)} \rVert_2} \Big\rVert_1
        + \sum_{k > m} \lVert x_{(k)} \rVert_1\Big), \qquad q_v = \frac{e^{|x_v|}}{\sum_u e^{|x_u|}}

    The logits :math:`x` are coordinates in a fixed orthogonal frame, one for each node but the root, by depth and in
    node order within a depth; :math:`x_{(k)}` are those of depth :math:`k`. The target is at depth
    :math:`m`, its path :math:`a_1, \dots, a_m` has the masses :math:`p` of :func:`basis_weights`, and :math:`e_{a_k}`
    is the basis vector of a node of the path.

    The subspace of a node also contains the basis vectors of all its descendants. For an internal target these are
    left out of every sum, since the label says nothing about them; the loss of the root is 0.

    Args:
        taxonomy: The label tree.
        alpha: Weight of the second term, >= 0. The authors' scripts have 0.1 (FGVC-Aircraft), 0.05 (CIFAR-100), 0.001
            (iNaturalist 2019) and 0.00001 (tieredImageNet-H).

    Raises:
        InputError: ``alpha`` is negative.

    Example:
        >>> loss = HierCOSLoss(Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)]), alpha=0.0)
        >>> loss(torch.tensor([[50.0, 0.0, 51.0, 0.0]]), torch.tensor([2])).round(decimals=4)  # of a, d, b, c
        tensor([0.])

    References: Sani and Anand, Hier-COS, CVPR 2026, arXiv:2503.07853. The formulas are those of the authors' code
        (``util/hiercos_construction.py``), since the full text was not to be had; differences are listed in
        ``docs/what-we-follow.md``.
    """

    def __init__(self, taxonomy: Taxonomy, alpha: float = 0.001) -> None:
        super().__init__(taxonomy)
        if not 0.0 <= alpha < math.inf:
            raise InputError("an alpha of at least 0", alpha)
        self.alpha = alpha

    @property
    def num_outputs(self) -> int:
        return self.taxonomy.num_nodes - 1

    def prediction(self, logits: Float[Tensor, "*batch out"]) -> SubspaceNorms:
        return SubspaceNorms(self.taxonomy, logits)

    def per_image(self, logits: Float[Tensor, "*batch out"], target: Int[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
        node = target.reshape(-1)
        depth = tree_index(self.taxonomy, logits.device).depth[node]
        mass = basis_weights(depth, self.taxonomy.max_depth, logits.dtype)
        rows = logits.reshape(node.numel(), logits.shape[-1])
        return frame_divergence(rows, node, mass, self.taxonomy, self.alpha).reshape(target.shape)

    def extra_repr(self) -> str:
        return f"{self.taxonomy!r}, alpha={self.alpha}"
