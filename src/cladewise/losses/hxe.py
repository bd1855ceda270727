"""Hierarchical cross-entropy: a cross-entropy per step down the target's path, discounted by depth."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from cladewise.losses.loss import Loss, check_between, check_choice
from cladewise.ops import at_least_float, path_logsumexp, path_sibling_nll
from cladewise.predictions import LeafSoftmax, SiblingSoftmax
from cladewise.taxonomy import Taxonomy

Weighting = Literal["parent-depth", "child-depth", "normalised"]
Logits = Literal["leaf", "conditional"]


def hxe_loss(
    logits: Float[Tensor, "*batch leaf"],
    target: Int[Tensor, "*batch"],
    taxonomy: Taxonomy,
    *,
    alpha: float = 0.1,
    weighting: Weighting = "parent-depth",
) -> Float[Tensor, "*batch"]:
    r"""Cross-entropy of each step down the target's path, discounted by depth, under a softmax over the leaves.

    .. math:: \ell = \sum_{v \in \mathrm{path}(t) \setminus \{\mathrm{root}\}} w_v\,(\log p_{\pi(v)} - \log p_v)

    The path stops at an internal target. The edge above an only child contributes nothing.

    Args:
        logits: Score of every leaf, by leaf position.
        target: Node of every image; internal nodes allowed.
        taxonomy: The label tree.
        alpha: Discount per edge, >= 0.
        weighting: ``"parent-depth"``: :math:`w_v = e^{-\alpha d(\pi(v))}`, so that ``alpha=0``, and any alpha on a tree
            of depth 1, is cross-entropy. ``"child-depth"``: :math:`w_v = e^{-\alpha d(v)}`. ``"normalised"``: the
            latter over its sum over all nodes, as in the authors' code. For a given tree and alpha
            they differ by a constant factor, equivalent to a change of learning rate.

    Example:
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",), ("e",)])
        >>> hxe_loss(torch.zeros(2, 4), torch.tensor([2, 4]), t, alpha=0.0).exp().round()
        tensor([4., 4.])

    References: Bertinetto et al., Making Better Mistakes, CVPR 2020, arXiv:1912.09393. The default weights are those of
        Valmadre, Hierarchical classification at multiple operating points, NeurIPS 2022.
    """
    path = path_logsumexp(at_least_float(logits), target, taxonomy, "leaves")
    return _discounted(path[..., :-1] - path[..., 1:], taxonomy, alpha, weighting)


def tree_hxe_loss(
    logits: Float[Tensor, "*batch child"],
    target: Int[Tensor, "*batch"],
    taxonomy: Taxonomy,
    *,
    alpha: float = 0.1,
    weighting: Weighting = "parent-depth",
) -> Float[Tensor, "*batch"]:
    r"""Cross-entropy of each step down the target's path, discounted by depth, under a softmax among siblings.

    .. math:: \ell = \sum_{v \in \mathrm{path}(t) \setminus \{\mathrm{root}\}}
        w_v \Big(\operatorname{LSE}_{c \in C(\pi(v))} z_c - z_v\Big)

    The same loss as :func:`hxe_loss` for a head that scores every node given its parent.

    Args:
        logits: Score of every node but the root: ``logits[..., i]`` is node ``i + 1``.
        target: Node of every image; internal nodes allowed.
        taxonomy: The label tree.
        alpha: Discount per edge, >= 0.
        weighting: As for :func:`hxe_loss`.

    Example:
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
        >>> tree_hxe_loss(torch.zeros(2, 4), torch.tensor([2, 4]), t, alpha=0.0).exp()
        tensor([4., 2.])

    References: Bertinetto et al., Making Better Mistakes, CVPR 2020, arXiv:1912.09393.
    """
    edges = path_sibling_nll(at_least_float(logits), target, taxonomy)
    return _discounted(edges, taxonomy, alpha, weighting)


def _discounted(edges: Tensor, taxonomy: Taxonomy, alpha: float, weighting: Weighting) -> Tensor:
    discount = torch.exp(-alpha * torch.arange(taxonomy.max_depth, dtype=edges.dtype, device=edges.device))
    return _scale(taxonomy, alpha, weighting) * (edges * discount).sum(-1)


def _scale(taxonomy: Taxonomy, alpha: float, weighting: Weighting) -> float:
    """Factor between a weighting and ``"parent-depth"``."""
    if weighting == "parent-depth":
        return 1.0
    child = float(np.exp(-alpha))
    return child if weighting == "child-depth" else child / float(np.exp(-alpha * taxonomy.depth).sum())


class HXELoss(Loss):
    """Hierarchical cross-entropy; see :func:`hxe_loss`, and :func:`tree_hxe_loss` for ``logits="conditional"``.

    Raises:
        InputError: ``alpha`` is negative, or the weighting or the kind of logits is not known.

    Example:
        >>> loss = HXELoss(Taxonomy.from_paths([("a", "b"), ("a", "c")]), alpha=0.5)
        >>> loss(torch.zeros(1, 2), torch.tensor([2])).exp().round(decimals=2)
        tensor([1.5200])
    """

    def __init__(
        self,
        taxonomy: Taxonomy,
        alpha: float = 0.1,
        weighting: Weighting = "parent-depth",
        logits: Logits = "leaf",
    ) -> None:
        super().__init__(taxonomy)
        check_between(alpha, 0.0, float(np.finfo(np.float32).max), "an alpha")
        check_choice(weighting, get_args(Weighting), "a weighting")
        check_choice(logits, get_args(Logits), "logits")
        self.alpha = alpha
        self.weighting: Weighting = weighting
        self.logits: Logits = logits

    @property
    def num_outputs(self) -> int:
        return self.taxonomy.num_leaves if self.logits == "leaf" else self.taxonomy.num_nodes - 1

    def prediction(self, logits: Float[Tensor, "*batch out"]) -> LeafSoftmax | SiblingSoftmax:
        kind = LeafSoftmax if self.logits == "leaf" else SiblingSoftmax
        return kind(self.taxonomy, logits)

    def per_image(self, logits: Tensor, target: Tensor) -> Tensor:
        loss = hxe_loss if self.logits == "leaf" else tree_hxe_loss
        return loss(logits, target, self.taxonomy, alpha=self.alpha, weighting=self.weighting)
