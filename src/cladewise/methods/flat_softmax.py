"""Flat softmax: cross-entropy over the leaves, with internal nodes by summation."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from cladewise.decisions import Decision, Leaf
from cladewise.heads import Head, leaf_softmax_head
from cladewise.losses import FlatSoftmaxLoss, LogitAdjustedLoss, Loss
from cladewise.methods.method import Citation, Method, option
from cladewise.methods.papers import OPERATING_POINTS
from cladewise.taxonomy import Taxonomy


@dataclasses.dataclass(frozen=True, kw_only=True)
class FlatSoftmaxMethod(Method):
    """The baseline that ignores the tree in training and sums leaf probabilities for internal nodes."""

    name: ClassVar[str] = "flat-softmax"
    title: ClassVar[str] = "Flat softmax (bottom-up)"
    citation: ClassVar[Citation] = OPERATING_POINTS

    label_smoothing: float = option(0.0, "share of the target spread over all leaves, in [0, 1)", grid=(0.0, 0.1))
    adjust: float = option(0.0, "strength of logit adjustment for long tails: 0 for none, 1 for the balanced softmax")

    def head(self, taxonomy: Taxonomy, num_features: int) -> Head:
        return leaf_softmax_head(taxonomy, num_features)

    def loss(self, taxonomy: Taxonomy) -> Loss:
        loss = FlatSoftmaxLoss(taxonomy, label_smoothing=self.label_smoothing)
        return LogitAdjustedLoss(loss, self.adjust) if self.adjust else loss

    def decision(self) -> Decision:
        return Leaf()
