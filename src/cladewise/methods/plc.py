"""PLC: a classifier at every level on one embedding."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from cladewise.decisions import Decision
from cladewise.heads import Head
from cladewise.losses import Loss
from cladewise.methods.embedded import EmbeddedMethod
from cladewise.methods.level_softmax import LevelSoftmaxMethod
from cladewise.methods.method import Citation
from cladewise.methods.papers import ENTAILMENT_CONES
from cladewise.taxonomy import Taxonomy


@dataclasses.dataclass(frozen=True, kw_only=True)
class PLCMethod(EmbeddedMethod):
    """Level-wise softmax on an embedding of the features; the levels may contradict each other."""

    name: ClassVar[str] = "plc"
    title: ClassVar[str] = "Per-level classifier (PLC)"
    citation: ClassVar[Citation] = ENTAILMENT_CONES

    def classifier(self, taxonomy: Taxonomy, width: int) -> Head:
        return LevelSoftmaxMethod().head(taxonomy, width)

    def loss(self, taxonomy: Taxonomy) -> Loss:
        return LevelSoftmaxMethod().loss(taxonomy)

    def decision(self) -> Decision:
        return LevelSoftmaxMethod().decision()
