"""Conditional sigmoid: a binary classifier at every node, given its parent."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from cladewise.decisions import Decision, Leaf
from cladewise.heads import Head, node_logit_head
from cladewise.losses import ConditionalSigmoidLoss, Loss
from cladewise.methods.method import Citation, Method
from cladewise.predictions import ConditionalSigmoid
from cladewise.taxonomy import Taxonomy


@dataclasses.dataclass(frozen=True, kw_only=True)
class ConditionalSigmoidMethod(Method):
    """A binary classifier at every node given its parent. Siblings do not compete: none may be likely, or several."""

    name: ClassVar[str] = "conditional-sigmoid"
    title: ClassVar[str] = "Conditional sigmoid"
    citation: ClassVar[Citation] = Citation(
        "Brust, Denzler",
        "Integrating domain knowledge: using hierarchies to improve deep classifiers",
        "ACPR",
        2019,
        "https://arxiv.org/abs/1811.07125",
    )

    def head(self, taxonomy: Taxonomy, num_features: int) -> Head:
        return node_logit_head(ConditionalSigmoid, taxonomy, num_features)

    def loss(self, taxonomy: Taxonomy) -> Loss:
        return ConditionalSigmoidLoss(taxonomy)

    def decision(self) -> Decision:
        return Leaf()
