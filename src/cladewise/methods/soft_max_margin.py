"""Soft-max-margin: a softmax over all nodes, with a margin for incorrect ones."""

from __future__ import annotations

import dataclasses
from typing import ClassVar, Literal

from cladewise.decisions import Decision, Leaf
from cladewise.heads import Head, LinearHead
from cladewise.losses import Loss, SoftMaxMarginLoss
from cladewise.methods.method import Citation, Method, option
from cladewise.methods.papers import OPERATING_POINTS
from cladewise.predictions import NodeSoftmax
from cladewise.taxonomy import Taxonomy


@dataclasses.dataclass(frozen=True, kw_only=True)
class SoftMaxMarginMethod(Method):
    """All nodes compete; the target and its ancestors are correct, and the target must beat other nodes by a margin."""

    name: ClassVar[str] = "soft-max-margin"
    title: ClassVar[str] = "Soft-max-margin"
    citation: ClassVar[Citation] = OPERATING_POINTS

    tau: float = option(5.0, "factor of the margin in nats, >= 0", grid=(1.0, 3.0, 5.0, 10.0))
    form: Literal["soft", "hard"] = option("soft", "log-sum-exp over the nodes, or their maximum")
    margin: Literal["incorrect", "depth-distance", "information-distance", "depth-deficit", "log-f1"] = option(
        "incorrect", "how wrong a node is; published: 1 for all but the target and its ancestors"
    )

    def head(self, taxonomy: Taxonomy, num_features: int) -> Head:
        return LinearHead(num_features, taxonomy.num_nodes, lambda scores: NodeSoftmax(taxonomy, scores))

    def loss(self, taxonomy: Taxonomy) -> Loss:
        return SoftMaxMarginLoss(taxonomy, tau=self.tau, form=self.form, margin=self.margin)

    def decision(self) -> Decision:
        return Leaf()
