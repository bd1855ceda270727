"""Label hierarchy transition: a cross-entropy at every level, and a confusion loss between the levels."""

from __future__ import annotations

import math

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from cladewise.losses.loss import Loss, check_between
from cladewise.ops.level_classes import NO_LABEL, level_classes
from cladewise.predictions import LevelTransition, transition_layout
from cladewise.predictions.prediction import TransitionOrder
from cladewise.taxonomy import Taxonomy


class LHTLoss(Loss):
    r"""Cross-entropy at every level that takes part, plus the weighted negative entropy of the transitions.

    .. math:: \ell = -\sum_k \log p^{(k)}_{t_k} + \lambda \sum_k \frac{1}{S_k} \sum_j \sum_i
        T^{(k)}_{ij} \log T^{(k)}_{ij}

    where :math:`p^{(k)}` are the levels of a :class:`~cladewise.predictions.LevelTransition` and :math:`T^{(k)}` its
    transitions, each from :math:`S_k` sources :math:`j`. The second sum, the negative entropy of
    the distribution over the next level given a class, is the paper's confusion loss: the less certain, the lower. It
    counts in full for every image, whatever its label, and may make the loss negative: it is at least
    :math:`-\lambda \sum_k \log C_k` with :math:`C_k` targets.

    The target at a level is its ancestor there, or the target itself if it is a leaf above the level, which the level
    repeats. Levels finer than an internal target do not contribute.

    Args:
        taxonomy: The label tree.
        confusion: Weight :math:`\lambda` of the negative entropy, >= 0.
        levels: The levels that take part, 1 for the coarsest, including the finest; all levels by default.
        order: ``"f2c"`` from the finest level to coarser ones, ``"c2f"`` from the coarsest to finer ones.
        rank: Rank of the transition scores; ``None`` for a score per pair of classes.

    Raises:
        InputError: The weight is negative, or a setting is not valid for a
            :class:`~cladewise.predictions.LevelTransition`.

    Example:
        >>> loss = LHTLoss(Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)]), confusion=0.0)
        >>> loss(torch.zeros(2, loss.num_outputs), torch.tensor([2, 1])).exp().round()  # 3 leaves and 2 families; 2
        tensor([6., 2.])

    References: Wang et al., Label hierarchy transition, arXiv:2112.02353, equations 6 to 8, which sum over the batch.
        The released code takes means over levels and transitions instead of the paper's sums, and adds 1e-10 inside the
        logarithms; here everything is computed in log space. Coarse to fine (remark 2 of the paper) has no formula
        there; we exchange the roles of the levels.
    """

    _classes: Tensor

    def __init__(
        self,
        taxonomy: Taxonomy,
        confusion: float = 2.0,
        levels: tuple[int, ...] = (),
        order: TransitionOrder = "f2c",
        rank: int | None = None,
    ) -> None:
        super().__init__(taxonomy)
        check_between(confusion, 0.0, float(np.finfo(np.float32).max), "a weight of the confusion")
        self.confusion, self.rank = confusion, rank
        self.order: TransitionOrder = order
        self.levels = tuple(levels) or tuple(range(1, taxonomy.num_levels + 1))
        self._num_outputs = transition_layout(taxonomy, self.levels, order, rank).width
        self.register_buffer("_classes", torch.from_numpy(level_classes(taxonomy, self.levels)), persistent=False)

    @property
    def num_outputs(self) -> int:
        return self._num_outputs

    def prediction(self, logits: Float[Tensor, "*batch out"]) -> LevelTransition:
        return LevelTransition(self.taxonomy, logits, self.levels, self.order, self.rank)

    @property
    def lower_bound(self) -> float:
        steps = transition_layout(self.taxonomy, self.levels, self.order, self.rank).steps
        return -self.confusion * sum(math.log(step.target_nodes.size) for step in steps)

    def per_image(self, logits: Float[Tensor, "*batch out"], target: Int[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
        layout = transition_layout(self.taxonomy, self.levels, self.order, self.rank, logits.device)
        rows = logits.reshape(target.numel(), logits.shape[-1])
        walked = layout.walk(rows)
        classes = self._classes.to(logits.device)[:, target.reshape(-1)]
        losses = rows[:, :0].sum(-1)  # no level, no loss
        for level, of_level in zip(self.levels, classes, strict=True):
            own = walked.log_prob[level].gather(1, of_level.clamp_min(0)[:, None])[:, 0]
            losses = losses - torch.where(of_level == NO_LABEL, 0.0, own)
        for negative_entropy in walked.negative_entropy:
            losses = losses + self.confusion * negative_entropy
        return losses.reshape(target.shape)
