"""MC: one classifier of the leaves, held to account at every level."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from cladewise.decisions import Decision, Levels
from cladewise.heads import Head, leaf_softmax_head
from cladewise.losses import Loss, MarginalSoftmaxLoss
from cladewise.methods.embedded import EmbeddedMethod
from cladewise.methods.method import Citation
from cladewise.methods.papers import ENTAILMENT_CONES
from cladewise.taxonomy import Taxonomy


@dataclasses.dataclass(frozen=True, kw_only=True)
class MCMethod(EmbeddedMethod):
    """A softmax over the leaves, summed up the tree, that pays at every level for what it gives to others there."""

    name: ClassVar[str] = "mc"
    title: ClassVar[str] = "Marginalization classifier (MC)"
    citation: ClassVar[Citation] = ENTAILMENT_CONES

    def classifier(self, taxonomy: Taxonomy, width: int) -> Head:
        return leaf_softmax_head(taxonomy, width)

    def loss(self, taxonomy: Taxonomy) -> Loss:
        return MarginalSoftmaxLoss(taxonomy)

    def decision(self) -> Decision:
        return Levels()
