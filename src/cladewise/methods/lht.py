"""Label hierarchy transition: each level predicted from the previous one by a transition matrix per image."""

from __future__ import annotations

import dataclasses
from typing import ClassVar, Literal

from cladewise.decisions import Decision, Levels
from cladewise.heads import Head, TransitionHead
from cladewise.losses import LHTLoss, Loss
from cladewise.methods.method import Citation, Method, option
from cladewise.methods.papers import HIERARCHY_TRANSITION
from cladewise.predictions import transition_layout
from cladewise.predictions.prediction import TransitionOrder
from cladewise.taxonomy import Taxonomy
from cladewise.taxonomy.level_choice import chosen_levels


@dataclasses.dataclass(frozen=True, kw_only=True)
class LHTMethod(Method):
    """A softmax at the finest level; each coarser level follows by a matrix of transition probabilities per image.

    A confusion loss keeps the matrices uncertain, so that related classes share what they learn. The levels may
    contradict each other. A level that takes no part is answered from the finer ones.
    """

    name: ClassVar[str] = "lht"
    title: ClassVar[str] = "Label hierarchy transition (LHT)"
    citation: ClassVar[Citation] = HIERARCHY_TRANSITION

    order: Literal["f2c", "c2f"] = option("f2c", "from the finest level to coarser ones, or from the coarsest to finer")
    transition: Literal["full", "low-rank"] = option(
        "full", "a score for every pair of classes of two levels (the paper), or their factors (the released code)"
    )
    rank: int = option(2, "rank of low-rank transitions")
    confusion: float = option(
        2.0, "weight of the negative entropy of the transitions, >= 0", grid=(0.0, 0.5, 1.0, 2.0, 5.0, 10.0, 100.0)
    )
    levels: str | int = option(  # a single level arrives as a number
        "all",
        "levels that take part, 1 for the coarsest: all, or a list like 1,6,7 or family,species that has the finest",
    )
    embedding: int = option(600, "width of the trained layer before the classifiers, split among the levels; 0: none")
    memory: float = option(4.0, "GB that the weights may take in training; more raises an error")

    def head(self, taxonomy: Taxonomy, num_features: int) -> Head:
        layout = transition_layout(taxonomy, *self._settings(taxonomy))
        return TransitionHead(taxonomy, layout, num_features, embedding=self.embedding, memory=self.memory)

    def loss(self, taxonomy: Taxonomy) -> Loss:
        return LHTLoss(taxonomy, self.confusion, *self._settings(taxonomy))

    def decision(self) -> Decision:
        return Levels()

    def _settings(self, taxonomy: Taxonomy) -> tuple[tuple[int, ...], TransitionOrder, int | None]:
        levels = chosen_levels(str(self.levels), taxonomy)
        return levels, self.order, self.rank if self.transition == "low-rank" else None
