"""Base class of level softmaxes with extra outputs that only losses use."""

from __future__ import annotations

import dataclasses
from abc import abstractmethod
from functools import cached_property

from jaxtyping import Float, Int
from torch import Tensor

from cladewise.predictions.level_softmax import LevelSoftmax
from cladewise.predictions.prediction import Coherence, LevelLogProb, Prediction, SiblingScores


@dataclasses.dataclass(frozen=True, eq=False)
class UnsettledLevels(Prediction):
    """A prediction whose probabilities are those of the :class:`LevelSoftmax` that it settles to."""

    @abstractmethod
    def _settle(self) -> LevelSoftmax:
        """Compute the settled prediction; called once."""

    @cached_property
    def _settled(self) -> LevelSoftmax:
        return self._settle()

    def settled(self) -> LevelSoftmax:
        """The level softmax without the extra outputs."""
        return self._settled

    @property
    def coherence(self) -> Coherence:
        return Coherence.MONOTONE

    @property
    def scored_nodes(self) -> Int[Tensor, " score"]:
        return self._settled.scored_nodes

    @cached_property
    def scores(self) -> Float[Tensor, "*batch node"]:
        """Raw scores at every node, from the shallowest level that has it."""
        return self._settled.scores

    @cached_property
    def log_prob(self) -> Float[Tensor, "*batch node"]:
        return self._settled.log_prob

    def prob_outside(self, image: Int[Tensor, " pair"], node: Int[Tensor, " pair"]) -> Float[Tensor, " pair"]:
        return self._settled.prob_outside(image, node)

    def all_outside(self) -> Float[Tensor, "image node"]:
        return self._settled.all_outside()

    def level_log_prob(self, level: int) -> LevelLogProb:
        return self._settled.level_log_prob(level)

    @property
    def own_levels(self) -> tuple[int, ...]:
        return self._settled.own_levels

    def leaf_scores(self) -> Float[Tensor, "*batch leaf"]:
        return self._settled.leaf_scores()

    def raw_leaf_scores(self) -> Float[Tensor, "*batch leaf"]:
        return self._settled.raw_leaf_scores()

    def sibling_scores(self) -> SiblingScores:
        return self._settled.sibling_scores()

    def scores_up_to(self, level: int) -> Float[Tensor, "*batch node"]:
        return self._settled.scores_up_to(level)
