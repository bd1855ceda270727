"""M-PLC: classifiers a level that only choose among the children of the choice above."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from cladewise.decisions import Decision, Greedy
from cladewise.heads import Head, node_logit_head
from cladewise.losses import ConditionalSoftmax, Loss
from cladewise.methods.embedded import EmbeddedMethod
from cladewise.methods.method import Citation
from cladewise.predictions import SiblingSoftmax
from cladewise.taxonomy import Taxonomy


@dataclasses.dataclass(frozen=True, kw_only=True)
class MaskedPLCMethod(EmbeddedMethod):
    """A choice among the children of the choice before it, from the root down to a leaf.

    It trains as ``hs`` does, and differs from it in its answer: the best child of each step is kept, whatever lies
    below it.
    """

    name: ClassVar[str] = "m-plc"
    title: ClassVar[str] = "Masked per-level classifier (M-PLC)"
    citation: ClassVar[Citation] = Citation(
        "Dhall, Makarova, Ganea, Pavllo, Greeff, Krause",
        "Hierarchical image classification using entailment cone embeddings",
        "CVPR Workshops",
        2020,
        "https://arxiv.org/abs/2004.03459",
    )

    def classifier(self, taxonomy: Taxonomy, width: int) -> Head:
        return node_logit_head(SiblingSoftmax, taxonomy, width)

    def loss(self, taxonomy: Taxonomy) -> Loss:
        return ConditionalSoftmax(taxonomy)

    def decision(self) -> Decision:
        return Greedy()
