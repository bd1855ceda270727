"""The vanilla baselines of label hierarchy transition: leaves alone, and one encoder per level."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from torch import nn

from cladewise.decisions import Backtrack, Decision, Levels
from cladewise.heads import Embedding, Head, embedded_head, leaf_softmax_head, towers_head
from cladewise.losses import FlatSoftmaxLoss, LevelSoftmaxLoss, Loss
from cladewise.methods.method import Citation, Method, option
from cladewise.methods.papers import HIERARCHY_TRANSITION
from cladewise.taxonomy import Taxonomy


@dataclasses.dataclass(frozen=True, kw_only=True)
class VanillaMethod(Method):
    """A classifier of the leaves; coarser levels are answered with the ancestors of the predicted leaf."""

    name: ClassVar[str] = "vanilla"
    title: ClassVar[str] = "Classifier of the leaves, backtracked (Vanilla)"
    citation: ClassVar[Citation] = HIERARCHY_TRANSITION

    embedding: int = option(600, "width of the trained layer between the features and the classifiers; 0: none")

    def head(self, taxonomy: Taxonomy, num_features: int) -> Head:
        return embedded_head(num_features, self.embedding, lambda width: leaf_softmax_head(taxonomy, width))

    def loss(self, taxonomy: Taxonomy) -> Loss:
        return FlatSoftmaxLoss(taxonomy)

    def decision(self) -> Decision:
        return Backtrack()


@dataclasses.dataclass(frozen=True, kw_only=True)
class VanillaMultiMethod(Method):
    """A separate model for every level, trained side by side: the levels share nothing.

    With a frozen encoder they share its features, and each has its own embedding.
    """

    name: ClassVar[str] = "vanilla-multi"
    title: ClassVar[str] = "One encoder per level (Vanilla multi)"
    citation: ClassVar[Citation] = HIERARCHY_TRANSITION

    embedding: int = option(600, "width of the trained layer between the features and the classifiers; 0: none")

    def head(self, taxonomy: Taxonomy, num_features: int) -> Head:
        def classifier(num_scores: int) -> nn.Module:
            if not self.embedding:
                return nn.Linear(num_features, num_scores)
            return nn.Sequential(Embedding(num_features, self.embedding), nn.Linear(self.embedding, num_scores))

        return towers_head(taxonomy, classifier)

    def loss(self, taxonomy: Taxonomy) -> Loss:
        return LevelSoftmaxLoss(taxonomy)

    def decision(self) -> Decision:
        return Levels()

    def towers(self, taxonomy: Taxonomy) -> int:
        return max(1, taxonomy.num_levels)
