"""Conditional softmax: a softmax among the children of every node, multiplied along paths."""

from __future__ import annotations

import dataclasses
from typing import ClassVar, Literal

from cladewise.decisions import Decision, Leaf
from cladewise.heads import Head, node_logit_head
from cladewise.losses import ConditionalSoftmaxLoss, Loss
from cladewise.methods.method import Citation, Method, option
from cladewise.predictions import SiblingSoftmax
from cladewise.taxonomy import Taxonomy


@dataclasses.dataclass(frozen=True, kw_only=True)
class ConditionalSoftmaxMethod(Method):
    """A softmax among the children of every node; a leaf's probability is the product along its path."""

    name: ClassVar[str] = "conditional-softmax"
    title: ClassVar[str] = "Conditional softmax (YOLO9000)"
    citation: ClassVar[Citation] = Citation(
        "Redmon, Farhadi",
        "YOLO9000: better, faster, stronger",
        "CVPR",
        2017,
        "https://arxiv.org/abs/1612.08242",
    )

    node_weights: Literal["none", "parent"] = option(
        "none", "weight of each choice: none, or parent for equal total weights if leaves are equally frequent"
    )
    label_smoothing: float = option(0.0, "share of the target spread over all leaves, in [0, 1]")

    def head(self, taxonomy: Taxonomy, num_features: int) -> Head:
        return node_logit_head(SiblingSoftmax, taxonomy, num_features)

    def loss(self, taxonomy: Taxonomy) -> Loss:
        return ConditionalSoftmaxLoss(taxonomy, node_weights=self.node_weights, label_smoothing=self.label_smoothing)

    def decision(self) -> Decision:
        return Leaf()
