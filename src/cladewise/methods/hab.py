"""HAB: a binary classifier for every label, ignoring the tree."""

from __future__ import annotations

import dataclasses
from typing import ClassVar, Literal

from cladewise.decisions import Boundary, Decision, Levels
from cladewise.heads import Head, embedded_head, node_logit_head
from cladewise.losses import Loss, MultilabelSoftMarginLoss
from cladewise.methods.method import Citation, Method, option
from cladewise.methods.papers import ENTAILMENT_CONES
from cladewise.predictions import NodeSigmoid
from cladewise.taxonomy import Taxonomy


@dataclasses.dataclass(frozen=True, kw_only=True)
class HABMethod(Method):
    """Independent binary classification of every label; the answer is the set of positive labels.

    The probability threshold is fitted on the validation split or by cross-validation. Resampling, the paper's other
    remedy for rare labels, is ``--balance sample``.
    """

    name: ClassVar[str] = "hab"
    title: ClassVar[str] = "Hierarchy-agnostic classifier (HAB)"
    citation: ClassVar[Citation] = ENTAILMENT_CONES

    embedding: int = option(600, "width of the trained layer between the features and the classifiers; 0: none")
    boundary: Literal["global", "per-class"] = option(
        "global", "threshold of a positive, by the best F1: one for all labels, or one per label"
    )
    fits_on: str = option("val", "split used to fit the thresholds; 5-fold: cross-validation on the training images")
    class_weights: bool = option(False, "whether labels are weighted by inverse frequency in the loss")

    def head(self, taxonomy: Taxonomy, num_features: int) -> Head:
        return embedded_head(num_features, self.embedding, lambda width: node_logit_head(NodeSigmoid, taxonomy, width))

    def loss(self, taxonomy: Taxonomy) -> Loss:
        return MultilabelSoftMarginLoss(taxonomy, class_weights=self.class_weights)

    def decision(self) -> Decision:
        return Boundary(self.boundary, self.fits_on)

    def watched(self) -> Decision:
        return Levels()
