"""Parameter-sharing softmax: a leaf's score is the sum of the scores on its path."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from cladewise.decisions import Decision, Leaf
from cladewise.heads import Head, node_logit_head
from cladewise.losses import Loss, PSSoftmaxLoss
from cladewise.methods.method import Citation, Method, option
from cladewise.methods.papers import OPERATING_POINTS
from cladewise.predictions import PathSumSoftmax
from cladewise.taxonomy import Taxonomy


@dataclasses.dataclass(frozen=True, kw_only=True)
class PSSoftmaxMethod(Method):
    """A leaf softmax whose leaves share the scores of their ancestors, so that rare leaves learn from related ones."""

    name: ClassVar[str] = "ps-softmax"
    title: ClassVar[str] = "Parameter-sharing softmax"
    citation: ClassVar[Citation] = OPERATING_POINTS

    label_smoothing: float = option(0.0, "share of the target spread over all leaves, in [0, 1]")

    def head(self, taxonomy: Taxonomy, num_features: int) -> Head:
        return node_logit_head(PathSumSoftmax, taxonomy, num_features)

    def loss(self, taxonomy: Taxonomy) -> Loss:
        return PSSoftmaxLoss(taxonomy, label_smoothing=self.label_smoothing)

    def decision(self) -> Decision:
        return Leaf()
