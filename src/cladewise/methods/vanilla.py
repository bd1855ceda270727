"""Vanilla: the finest level alone, and what lies above its answer."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from cladewise.decisions import Backtrack, Decision
from cladewise.heads import Head, leaf_softmax_head
from cladewise.losses import FlatSoftmaxLoss, Loss
from cladewise.methods.embedded import EmbeddedMethod
from cladewise.methods.method import Citation
from cladewise.methods.papers import HIERARCHY_TRANSITION
from cladewise.taxonomy import Taxonomy


@dataclasses.dataclass(frozen=True, kw_only=True)
class VanillaMethod(EmbeddedMethod):
    """A classifier of the leaves; at the coarser levels it answers the ancestors of the leaf that it answers."""

    name: ClassVar[str] = "vanilla"
    title: ClassVar[str] = "Classifier of the leaves, backtracked (Vanilla)"
    citation: ClassVar[Citation] = HIERARCHY_TRANSITION

    def classifier(self, taxonomy: Taxonomy, width: int) -> Head:
        return leaf_softmax_head(taxonomy, width)

    def loss(self, taxonomy: Taxonomy) -> Loss:
        return FlatSoftmaxLoss(taxonomy)

    def decision(self) -> Decision:
        return Backtrack()
