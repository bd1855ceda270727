"""Softmaxes of levels with something behind them that only a loss looks at."""

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
    """A prediction that says of the nodes what the :class:`LevelSoftmax` says that it settles to."""

    @abstractmethod
    def _settle(self) -> LevelSoftmax:
        """What it comes to; asked for once."""

    @cached_property
    def _settled(self) -> LevelSoftmax:
        return self._settle()

    def settled(self) -> LevelSoftmax:
        """The levels alone."""
        return self._settled

    @property
    def coherence(self) -> Coherence:
        return Coherence.MONOTONE

    @property
    def scored_nodes(self) -> Int[Tensor, " score"]:
        return self._settled.scored_nodes

    @cached_property
    def scores(self) -> Float[Tensor, "*batch node"]:
        """Scores of the levels at every node, the shallowest of several."""
        return self._settled.scores

    @cached_property
    def log_prob(self) -> Float[Tensor, "*batch node"]:
        return self._settled.log_prob

    def level_log_prob(self, level: int) -> LevelLogProb:
        return self._settled.level_log_prob(level)

    @property
    def own_levels(self) -> tuple[int, ...]:
        return self._settled.own_levels

    def leaf_scores(self) -> Float[Tensor, "*batch leaf"]:
        return self._settled.leaf_scores()

    def sibling_scores(self) -> SiblingScores:
        return self._settled.sibling_scores()

    def scores_up_to(self, level: int) -> Float[Tensor, "*batch node"]:
        return self._settled.scores_up_to(level)
