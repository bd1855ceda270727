"""HS: a softmax among the children of every node, multiplied down the tree."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from cladewise.decisions import Decision, Levels
from cladewise.heads import Head, node_logit_head
from cladewise.losses import ConditionalSoftmaxLoss, Loss
from cladewise.methods.embedded import EmbeddedMethod
from cladewise.methods.method import Citation
from cladewise.methods.papers import ENTAILMENT_CONES
from cladewise.predictions import SiblingSoftmax
from cladewise.taxonomy import Taxonomy


@dataclasses.dataclass(frozen=True, kw_only=True)
class HierarchicalSoftmaxMethod(EmbeddedMethod):
    """Conditional softmax on an embedding, which answers the most probable node of every level.

    The levels are those of one distribution over the leaves, and may still contradict each other.
    """

    name: ClassVar[str] = "hs"
    title: ClassVar[str] = "Hierarchical softmax (HS)"
    citation: ClassVar[Citation] = ENTAILMENT_CONES

    def classifier(self, taxonomy: Taxonomy, width: int) -> Head:
        return node_logit_head(SiblingSoftmax, taxonomy, width)

    def loss(self, taxonomy: Taxonomy) -> Loss:
        return ConditionalSoftmaxLoss(taxonomy)

    def decision(self) -> Decision:
        return Levels()
