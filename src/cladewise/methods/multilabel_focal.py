"""Multilabel focal loss: independent sigmoids at every node, with a focal loss."""

from __future__ import annotations

import dataclasses
from typing import ClassVar, Literal

from cladewise.decisions import Decision, Leaf
from cladewise.heads import Head, node_logit_head
from cladewise.losses import Loss, MultilabelFocalLoss
from cladewise.methods.method import Citation, Method, option
from cladewise.methods.papers import OPERATING_POINTS
from cladewise.predictions import NodeSigmoid
from cladewise.taxonomy import Taxonomy


@dataclasses.dataclass(frozen=True, kw_only=True)
class MultilabelFocalMethod(Method):
    """A binary classifier at every node. Most nodes are easy negatives, which the focal loss down-weights."""

    name: ClassVar[str] = "multilabel-focal"
    title: ClassVar[str] = "Multilabel sigmoid with focal loss"
    citation: ClassVar[Citation] = OPERATING_POINTS

    alpha: float = option(
        0.95, "weight of the positive nodes, in [0, 1]; of the negative ones 1 - alpha", grid=(0.25, 0.95)
    )
    gamma: float = option(
        1.0, "focusing exponent: how strongly well-classified nodes are down-weighted, >= 0", grid=(1.0, 2.0)
    )
    below: Literal["negative", "ignored"] = option("negative", "treatment of the nodes under an internal label")

    def head(self, taxonomy: Taxonomy, num_features: int) -> Head:
        return node_logit_head(NodeSigmoid, taxonomy, num_features)

    def loss(self, taxonomy: Taxonomy) -> Loss:
        return MultilabelFocalLoss(taxonomy, alpha=self.alpha, gamma=self.gamma, below=self.below)

    def decision(self) -> Decision:
        return Leaf()
