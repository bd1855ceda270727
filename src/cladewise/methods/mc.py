"""MC: a classifier of the leaves, trained with a cross-entropy at every level."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from cladewise.decisions import Decision, Levels
from cladewise.heads import Head, embedded_head, leaf_softmax_head
from cladewise.losses import Loss, MarginalSoftmaxLoss
from cladewise.methods.method import Citation, Method, option
from cladewise.methods.papers import ENTAILMENT_CONES
from cladewise.taxonomy import Taxonomy


@dataclasses.dataclass(frozen=True, kw_only=True)
class MCMethod(Method):
    """A softmax over the leaves, marginalised up the tree, with a cross-entropy term at every level."""

    name: ClassVar[str] = "mc"
    title: ClassVar[str] = "Marginalization classifier (MC)"
    citation: ClassVar[Citation] = ENTAILMENT_CONES

    embedding: int = option(600, "width of the trained layer between the features and the classifiers; 0: none")

    def head(self, taxonomy: Taxonomy, num_features: int) -> Head:
        return embedded_head(num_features, self.embedding, lambda width: leaf_softmax_head(taxonomy, width))

    def loss(self, taxonomy: Taxonomy) -> Loss:
        return MarginalSoftmaxLoss(taxonomy)

    def decision(self) -> Decision:
        return Levels()
