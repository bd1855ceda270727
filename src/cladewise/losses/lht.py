"""Label hierarchy transition: a cross-entropy at every level, and confusion between the levels."""

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
    r"""Cross-entropy of every level that takes part, and a weight times how certain the transitions between them are.

    .. math:: \ell = -\sum_k \log p^{(k)}_{t_k} + \lambda \sum_k \frac{1}{S_k} \sum_j \sum_i
        T^{(k)}_{ij} \log T^{(k)}_{ij}

    where :math:`p^{(k)}` are the levels of a :class:`~cladewise.predictions.LevelTransition` and :math:`T^{(k)}` its
    transitions, each from :math:`S_k` sources :math:`j`. The second sum, the negative entropy of what a class of one
    level says of the next, is the paper's confusion loss: the less certain, the lower. It counts in full for every
    image, whatever its label, and makes the loss negative where transitions are uncertain: it is at least
    :math:`-\lambda \sum_k \log C_k` with :math:`C_k` targets.

    The target at a level is its ancestor there, or a leaf above the level itself, which the level repeats. An internal
    target says nothing about levels finer than its own, which then do not count.

    Args:
        taxonomy: The label tree.
        confusion: Weight :math:`\lambda` of the negative entropy, dimensionless, >= 0.
        levels: The levels that take part, 1 for the coarsest; all of them where none are given. The finest always does.
        order: ``"f2c"`` from the finest level to coarser ones, ``"c2f"`` from the coarsest to finer ones.
        rank: Rank of the scores of the transitions; ``None``: a score for every pair.

    Raises:
        InputError: The weight is negative, or a setting is not one of a
            :class:`~cladewise.predictions.LevelTransition`.

    Example:
        >>> loss = LHTLoss(Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)]), confusion=0.0)
        >>> loss(torch.zeros(2, loss.num_outputs), torch.tensor([2, 1])).exp().round()  # 3 leaves and 2 families; 2
        tensor([6., 2.])

    References: Wang et al., Label hierarchy transition, arXiv:2112.02353, equations 6 to 8, which sum over the batch.
        The released code takes means over the levels and over the transitions where the paper has sums, and adds 1e-10
        to what it takes the logarithm of; here all is done in log space. Coarse to fine (remark 2 of the paper) has no
        formula there: the same with the roles exchanged is our reading.
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
