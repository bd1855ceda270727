"""HAB: a yes or no for every label, blind to the tree."""

from __future__ import annotations

import dataclasses
from typing import ClassVar, Literal

from cladewise.decisions import Boundary, Decision, Levels
from cladewise.heads import Head, node_logit_head
from cladewise.losses import Loss, MultilabelSoftMarginLoss
from cladewise.methods.embedded import EmbeddedMethod
from cladewise.methods.method import Citation, option
from cladewise.methods.papers import ENTAILMENT_CONES
from cladewise.predictions import NodeSigmoid
from cladewise.taxonomy import Taxonomy


@dataclasses.dataclass(frozen=True, kw_only=True)
class HABMethod(EmbeddedMethod):
    """Every label says yes or no for itself, and an image has as many labels as say yes.

    Where a yes begins is learnt from the validation split, or by cross-validation. Re-sampling, the paper's other
    remedy for rare labels, is ``--balance sample``.
    """

    name: ClassVar[str] = "hab"
    title: ClassVar[str] = "Hierarchy-agnostic classifier (HAB)"
    citation: ClassVar[Citation] = ENTAILMENT_CONES

    boundary: Literal["global", "per-class"] = option(
        "global", "where a yes begins, by the best F1: at one probability, or at each label's"
    )
    fits_on: str = option(
        "val", "split to learn the boundary from; 5-fold: the training images, by networks trained without them"
    )
    class_weights: bool = option(False, "whether labels weigh in the loss by one over the training images with them")

    def classifier(self, taxonomy: Taxonomy, width: int) -> Head:
        return node_logit_head(NodeSigmoid, taxonomy, width)

    def loss(self, taxonomy: Taxonomy) -> Loss:
        return MultilabelSoftMarginLoss(taxonomy, class_weights=self.class_weights)

    def decision(self) -> Decision:
        return Boundary(self.boundary, self.fits_on)

    def watched(self) -> Decision:
        return Levels()
