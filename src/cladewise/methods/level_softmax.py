"""Level softmax: a classifier at every level of the tree."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from cladewise.decisions import Decision, Levels
from cladewise.errors import InputError
from cladewise.heads import Head, LinearHead
from cladewise.losses import LevelSoftmaxLoss, Loss
from cladewise.methods.method import Citation, Method, option
from cladewise.methods.papers import ENTAILMENT_CONES
from cladewise.predictions import LevelSoftmax, level_width
from cladewise.taxonomy import Taxonomy


@dataclasses.dataclass(frozen=True, kw_only=True)
class LevelSoftmaxMethod(Method):
    """An independent softmax a level on shared features; the levels may contradict each other."""

    name: ClassVar[str] = "level-softmax"
    title: ClassVar[str] = "Level-wise softmax (per-level classifiers)"
    citation: ClassVar[Citation] = ENTAILMENT_CONES

    levels: str | int = option(  # one level alone comes as a number
        "all", "levels with a softmax, 1 for the coarsest: all, or a list like 1,6,7 that has the finest"
    )
    tied: bool = option(False, "whether a leaf above a level keeps its one score in every level that repeats it")

    def head(self, taxonomy: Taxonomy, num_features: int) -> Head:
        levels, tied = self.chosen(taxonomy), self.tied
        width = level_width(taxonomy, levels, tied=tied)
        return LinearHead(num_features, width, lambda scores: LevelSoftmax(taxonomy, scores, levels, tied))

    def loss(self, taxonomy: Taxonomy) -> Loss:
        return LevelSoftmaxLoss(taxonomy, self.chosen(taxonomy), self.tied)

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
