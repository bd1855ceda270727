"""Level-wise softmax: a cross-entropy at every level, summed."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from cladewise.losses.loss import Loss
from cladewise.ops.level_classes import NO_LABEL, level_classes
from cladewise.ops.rings import ring_logsumexp_and_values
from cladewise.predictions import LevelSoftmax, level_layout
from cladewise.taxonomy import Taxonomy


class LevelSoftmaxLoss(Loss):
    r"""Cross-entropy of a softmax over each chosen level, summed over the levels.

    .. math:: \ell = \sum_k \Big(\operatorname{LSE}_{v \in \text{level}\ k} z_v^{(k)} - z_{t_k}^{(k)}\Big)

    where :math:`t_k` represents the target at the extended level ``k``: its ancestor there, or the target itself if it
    is a leaf above the level, which the level repeats. Levels finer than an internal target do not contribute; the loss
    of the root is 0. The logits are those of a :class:`~cladewise.predictions.LevelSoftmax` with the same settings.

    Args:
        taxonomy: The label tree.
        levels: The chosen levels, 1 for the coarsest, including the finest; all levels by default.
        tied: Whether a leaf above a level has a single score, shared by all levels that repeat it.

    Raises:
        InputError: A level does not exist, the levels are not ascending, or the finest is missing.

    Example:
        >>> loss = LevelSoftmaxLoss(Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)]))
        >>> loss(torch.zeros(3, 5), torch.tensor([2, 1, 0])).exp().round()
        tensor([6., 2., 1.])

    References: Dhall et al., Hierarchical image classification using entailment cone embeddings, CVPRW 2020,
        arXiv:2004.03459, Eq. 6 (per-level classifiers). Valmadre, NeurIPS 2022, arXiv:2210.10929, whose released code
        repeats shallow leaves and rejects internal labels.
    """

    _classes: Tensor
    _columns: Tensor

    def __init__(self, taxonomy: Taxonomy, levels: tuple[int, ...] = (), tied: bool = False) -> None:
        super().__init__(taxonomy)
        self.levels = tuple(levels) or tuple(range(1, taxonomy.num_levels + 1))
        self.tied = tied
        layout = level_layout(taxonomy, self.levels)
        by_level = np.concatenate([np.zeros(0, dtype=np.int64), *layout])
        scored = np.unique(by_level) if tied else by_level
        columns = np.searchsorted(scored, by_level) if tied else np.arange(by_level.size)
        self._starts = np.cumsum([0, *(nodes.size for nodes in layout)])[:-1].tolist()
        self._num_outputs = scored.size
        self.register_buffer("_columns", torch.from_numpy(columns), persistent=False)
        self.register_buffer("_classes", torch.from_numpy(level_classes(taxonomy, self.levels)), persistent=False)

    @property
    def num_outputs(self) -> int:
        return self._num_outputs

    def prediction(self, logits: Float[Tensor, "*batch out"]) -> LevelSoftmax:
        return LevelSoftmax(self.taxonomy, logits, self.levels, self.tied)

    def per_image(self, logits: Float[Tensor, "*batch out"], target: Int[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
        node = target.reshape(-1)
        scores = self.by_level(logits.reshape(node.numel(), logits.shape[-1]))
        if not self._starts:
            return scores.sum(-1).reshape(target.shape)
        columns, says = self.label_columns(node, scores.device)
        normaliser, own = self.level_terms(scores, columns)
        return torch.where(says, normaliser - own, 0.0).sum(-1).reshape(target.shape)

    def by_level(self, scores: Float[Tensor, "batch out"]) -> Float[Tensor, "batch class"]:
        """The score of every class of every level, level after level; a tied score is repeated."""
        return scores.index_select(1, self._columns.to(scores.device)) if self.tied else scores

    def label_columns(
        self, node: Int[Tensor, " batch"], device: torch.device
    ) -> tuple[Int[Tensor, "batch level"], Bool[Tensor, "batch level"]]:
        """Column of the label at each level, 0 where it says nothing about the level; and whether it does."""
        classes = self._classes.to(device)[:, node].t()
        says = classes != NO_LABEL
        return torch.where(says, torch.tensor(self._starts, device=device) + classes, 0), says

    def level_terms(
        self, scores: Float[Tensor, "batch class"], columns: Int[Tensor, "batch column"]
    ) -> tuple[Float[Tensor, "batch level"], Float[Tensor, "batch column"]]:
        """Log-sum-exp of the scores of each level, and the scores in some columns."""
        first = torch.tensor(self._starts, device=scores.device)  # the rings between ranges to the end are the levels
        starts = first.expand(len(scores), -1)
        return ring_logsumexp_and_values(scores, (starts, torch.full_like(starts, scores.shape[1])), columns)
