"""Novelty scores from raw scores, before any softmax: the largest logit, and the energy."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from cladewise import ops
from cladewise.novelty.score import NoveltyScore, at_inner_nodes, bounded, of_parents
from cladewise.predictions import Coherence, Prediction


@dataclasses.dataclass(frozen=True)
class MaxLogit(NoveltyScore):
    r"""The largest raw score of what is known under a node, negated.

    .. math:: s_v = -\max_u z_u

    over the leaves or the children :math:`u` of :math:`v`. Leaves have their
    :meth:`~cladewise.predictions.Prediction.raw_leaf_scores`. A child has its own logit, or the largest of those below
    it if it has none; in a softmax over all nodes, where logits are those of what each node owns, the largest of its
    own and those below it.

    Args:
        over: The ``"leaves"`` or the ``"children"`` of a node.

    Example:
        >>> from cladewise import Taxonomy
        >>> from cladewise.predictions import LeafSoftmax
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
        >>> MaxLogit()(LeafSoftmax(t, torch.tensor([[1.0, 2.0, 5.0]])))  # at the root and at a
        tensor([[-5., -2.]])

    References: Hendrycks et al., Scaling out-of-distribution detection for real-world settings, ICML 2022,
        arXiv:1911.11132; Vaze et al., Open-set recognition: a good closed-set classifier is all you need?, ICLR 2022,
        arXiv:2110.06207, at every node.
    """

    name: ClassVar[str] = "max-logit"

    def of_leaves(self, prediction: Prediction) -> Float[Tensor, "*batch inner"]:
        scores = bounded(prediction.raw_leaf_scores())
        leaves = ops.tree_index(prediction.taxonomy, scores.device).leaf_nodes
        full = scores.new_full((*scores.shape[:-1], prediction.taxonomy.num_nodes), -torch.inf)
        return -at_inner_nodes(ops.subtree_max(full.index_copy(-1, leaves, scores), prediction.taxonomy), prediction)

    def of_all_leaves(self, prediction: Prediction) -> Float[Tensor, "*batch"]:
        return -bounded(prediction.raw_leaf_scores()).amax(-1)

    def of_children(self, prediction: Prediction) -> Float[Tensor, "*batch inner"]:
        return -of_parents(child_evidence(prediction, largest=True), prediction, "amax")


@dataclasses.dataclass(frozen=True)
class Energy(NoveltyScore):
    r"""The free energy of what is known under a node.

    .. math:: s_v = -\log \sum_u e^{z_u}

    over the leaves or the children :math:`u` of :math:`v`, with raw scores as in :class:`MaxLogit`, except that a child
    without a logit has the log-sum-exp of those below it.

    Args:
        over: The ``"leaves"`` or the ``"children"`` of a node.

    Example:
        >>> from cladewise import Taxonomy
        >>> from cladewise.predictions import LeafSoftmax
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
        >>> (-Energy()(LeafSoftmax(t, torch.tensor([[1.0, 2.0, 5.0]]).log()))).exp()  # at the root and at a
        tensor([[8., 3.]])

    References: Liu et al., Energy-based out-of-distribution detection, NeurIPS 2020, arXiv:2010.03759, at every node.
    """

    name: ClassVar[str] = "energy"

    def of_leaves(self, prediction: Prediction) -> Float[Tensor, "*batch inner"]:
        return -at_inner_nodes(
            ops.leaf_logsumexp(bounded(prediction.raw_leaf_scores()), prediction.taxonomy), prediction
        )

    def of_all_leaves(self, prediction: Prediction) -> Float[Tensor, "*batch"]:
        return -bounded(prediction.raw_leaf_scores()).logsumexp(-1)

    def of_children(self, prediction: Prediction) -> Float[Tensor, "*batch inner"]:
        evidence = child_evidence(prediction, largest=False)
        index = ops.tree_index(prediction.taxonomy, evidence.device)
        return -ops.grouped_logsumexp(evidence, index.group, len(index.inner_nodes))


def child_evidence(prediction: Prediction, *, largest: bool) -> Float[Tensor, "*batch child"]:
    """Raw score of every node but the root: how well an image fits it, before any softmax.

    Args:
        prediction: Of any kind.
        largest: Whether nodes without a logit of their own take the largest of those below, instead of the log-sum-exp.
    """
    given = bounded(prediction.scores)
    given = given.masked_fill(~prediction.has_score, torch.finfo(given.dtype).min / 8)
    reduce = ops.subtree_max if largest else ops.subtree_logsumexp
    below = reduce(given, prediction.taxonomy)
    owns = prediction.coherence is Coherence.SUPERADDITIVE
    return (below if owns else torch.where(prediction.has_score, given, below))[..., 1:]
