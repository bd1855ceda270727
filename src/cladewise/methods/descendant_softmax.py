"""Descendant softmax: each ancestor of the target against the nodes that contradict it."""

from __future__ import annotations

import dataclasses
from typing import ClassVar, Literal

from cladewise.decisions import Decision, Leaf
from cladewise.heads import Head, LinearHead
from cladewise.losses import DescendantSoftmaxLoss, Loss
from cladewise.methods.method import Citation, Method, option
from cladewise.methods.papers import OPERATING_POINTS
from cladewise.predictions import NodeSoftmax
from cladewise.taxonomy import Taxonomy


@dataclasses.dataclass(frozen=True, kw_only=True)
class DescendantSoftmaxMethod(Method):
    """Every node on the target's path is trained as a label, with weight inverse to its number of leaves."""

    name: ClassVar[str] = "descendant-softmax"
    title: ClassVar[str] = "Descendant softmax (soft-max-descendant)"
    citation: ClassVar[Citation] = OPERATING_POINTS

    form: Literal["complement", "all"] = option(
        "complement", "rivals of an ancestor: the nodes neither above nor below it (published), or all nodes"
    )

    def head(self, taxonomy: Taxonomy, num_features: int) -> Head:
        return LinearHead(num_features, taxonomy.num_nodes, lambda scores: NodeSoftmax(taxonomy, scores))

    def loss(self, taxonomy: Taxonomy) -> Loss:
        return DescendantSoftmaxLoss(taxonomy, form=self.form)

    def decision(self) -> Decision:
        return Leaf()
