"""Level-wise softmax: a classifier at every level, on the features (level-softmax) or an embedding (PLC)."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from cladewise.decisions import Decision, Levels
from cladewise.errors import InputError
from cladewise.heads import Head, LinearHead, embedded_head
from cladewise.losses import LevelSoftmaxLoss, LogitAdjustedLoss, Loss
from cladewise.methods.method import Citation, Method, option
from cladewise.methods.papers import ENTAILMENT_CONES, HIERARCHY_TRANSITION
from cladewise.predictions import LevelSoftmax, level_width
from cladewise.taxonomy import Taxonomy


@dataclasses.dataclass(frozen=True, kw_only=True)
class LevelSoftmaxMethod(Method):
    """An independent softmax at each level on shared features; the levels may contradict each other."""

    name: ClassVar[str] = "level-softmax"
    title: ClassVar[str] = "Level-wise softmax (per-level classifiers)"
    citation: ClassVar[Citation] = ENTAILMENT_CONES

    levels: str | int = option(  # a single level arrives as a number
        "all", "levels with a softmax, 1 for the coarsest: all, or a list like 1,6,7 that has the finest"
    )
    tied: bool = option(False, "whether a leaf above a level has one score, shared by all levels that repeat it")
    adjust: float = option(0.0, "strength of logit adjustment for long tails, by level: 0 for none; not with tied")

    def head(self, taxonomy: Taxonomy, num_features: int) -> Head:
        return _level_head(taxonomy, num_features, self.chosen(taxonomy), self.tied)

    def loss(self, taxonomy: Taxonomy) -> Loss:
        loss = LevelSoftmaxLoss(taxonomy, self.chosen(taxonomy), self.tied)
        return LogitAdjustedLoss(loss, self.adjust) if self.adjust else loss

    def decision(self) -> Decision:
        return Levels()

    def chosen(self, taxonomy: Taxonomy) -> tuple[int, ...]:
        """The levels as numbers.

        Raises:
            InputError: The text is neither ``all`` nor a list of numbers.

        Example:
            >>> LevelSoftmaxMethod(levels="1,3").chosen(Taxonomy.from_paths([("a", "b", "c")]))
            (1, 3)
        """
        if self.levels == "all":
            return tuple(range(1, taxonomy.num_levels + 1))
        try:
            return tuple(int(level) for level in str(self.levels).split(","))
        except ValueError as error:
            raise InputError("levels as all or as numbers like 1,6,7", repr(self.levels)) from error


@dataclasses.dataclass(frozen=True, kw_only=True)
class PLCMethod(Method):
    """Level-wise softmax on an embedding of the features; the levels may contradict each other."""

    name: ClassVar[str] = "plc"
    title: ClassVar[str] = "Per-level classifier (PLC)"
    citation: ClassVar[Citation] = ENTAILMENT_CONES

    embedding: int = option(600, "width of the trained layer between the features and the classifiers; 0: none")

    def head(self, taxonomy: Taxonomy, num_features: int) -> Head:
        levels = tuple(range(1, taxonomy.num_levels + 1))
        return embedded_head(num_features, self.embedding, lambda width: _level_head(taxonomy, width, levels, False))

    def loss(self, taxonomy: Taxonomy) -> Loss:
        return LevelSoftmaxLoss(taxonomy)

    def decision(self) -> Decision:
        return Levels()


@dataclasses.dataclass(frozen=True, kw_only=True)
class VanillaSingleMethod(PLCMethod):
    """One encoder and one embedding for all levels, with a classifier at each.

    The per-level classifier under another name: the two papers use the same model and train it differently.
    """

    name: ClassVar[str] = "vanilla-single"
    title: ClassVar[str] = "One encoder, one classifier per level (Vanilla single)"
    citation: ClassVar[Citation] = HIERARCHY_TRANSITION


def _level_head(taxonomy: Taxonomy, num_features: int, levels: tuple[int, ...], tied: bool) -> LinearHead:
    width = level_width(taxonomy, levels, tied=tied)
    return LinearHead(num_features, width, lambda scores: LevelSoftmax(taxonomy, scores, levels, tied))
