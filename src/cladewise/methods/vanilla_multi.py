"""Vanilla multi: an encoder and a classifier at every level."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from cladewise.decisions import Decision, Levels
from cladewise.heads import Head, towers_head
from cladewise.losses import LevelSoftmaxLoss, Loss
from cladewise.methods.embedded import WithEmbedding
from cladewise.methods.method import Citation
from cladewise.methods.papers import HIERARCHY_TRANSITION
from cladewise.taxonomy import Taxonomy


@dataclasses.dataclass(frozen=True, kw_only=True)
class VanillaMultiMethod(WithEmbedding):
    """A model of its own for every level, trained side by side: the levels share nothing.

    With a frozen encoder they share its features, and each has an embedding of its own.
    """

    name: ClassVar[str] = "vanilla-multi"
    title: ClassVar[str] = "One encoder per level (Vanilla multi)"
    citation: ClassVar[Citation] = HIERARCHY_TRANSITION

    def head(self, taxonomy: Taxonomy, num_features: int) -> Head:
        return towers_head(taxonomy, lambda num_scores: self.embedded_classifier(num_features, num_scores))

    def loss(self, taxonomy: Taxonomy) -> Loss:
        return LevelSoftmaxLoss(taxonomy)

    def decision(self) -> Decision:
        return Levels()

    def towers(self, taxonomy: Taxonomy) -> int:
        return max(1, taxonomy.num_levels)
