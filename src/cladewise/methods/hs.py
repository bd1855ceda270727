"""HS and M-PLC: a softmax among the children of every node, on an embedding of the features."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from cladewise.decisions import Decision, Greedy, Levels
from cladewise.heads import Head, embedded_head, node_logit_head
from cladewise.losses import ConditionalSoftmaxLoss, Loss
from cladewise.methods.method import Citation, Method, option
from cladewise.methods.papers import ENTAILMENT_CONES
from cladewise.predictions import SiblingSoftmax
from cladewise.taxonomy import Taxonomy


@dataclasses.dataclass(frozen=True, kw_only=True)
class HierarchicalSoftmaxMethod(Method):
    """Conditional softmax on an embedding; the answer is the most probable node of every level.

    The levels come from one distribution over the leaves, but their answers may still contradict each other.
    """

    name: ClassVar[str] = "hs"
    title: ClassVar[str] = "Hierarchical softmax (HS)"
    citation: ClassVar[Citation] = ENTAILMENT_CONES

    embedding: int = option(600, "width of the trained layer between the features and the classifiers; 0: none")

    def head(self, taxonomy: Taxonomy, num_features: int) -> Head:
        return embedded_head(
            num_features, self.embedding, lambda width: node_logit_head(SiblingSoftmax, taxonomy, width)
        )

    def loss(self, taxonomy: Taxonomy) -> Loss:
        return ConditionalSoftmaxLoss(taxonomy)

    def decision(self) -> Decision:
        return Levels()


@dataclasses.dataclass(frozen=True, kw_only=True)
class MaskedPLCMethod(HierarchicalSoftmaxMethod):
    """A greedy descent from the root to a leaf, choosing the best child at each step.

    It is trained like ``hs`` and differs only in its answer: each choice is final, whatever the probabilities below.
    """

    name: ClassVar[str] = "m-plc"
    title: ClassVar[str] = "Masked per-level classifier (M-PLC)"

    def decision(self) -> Decision:
        return Greedy()
