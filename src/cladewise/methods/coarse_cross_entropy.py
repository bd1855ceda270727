"""Coarse cross-entropy: the classes of one level, and nothing else."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from cladewise.decisions import Decision, Leaf
from cladewise.heads import Head, coarse_head
from cladewise.losses import FlatSoftmaxLoss, Loss
from cladewise.methods.method import Citation, Method, option
from cladewise.methods.papers import ANCOR
from cladewise.taxonomy import Taxonomy


@dataclasses.dataclass(frozen=True, kw_only=True)
class CoarseMethod(Method):
    """A method that knows the classes of one level, on a trained embedding of the features.

    Nothing tells the leaves of a class apart, so they share its probability equally. With the finest level, and fine
    labels, it is the upper bound that methods of coarse labels are compared with.
    """

    level: str | int = option("", "level whose classes the network knows, by name or number; empty: the finest")
    embedding: int = option(
        600, "width of the trained layer after the encoder, from which new classes are learnt; 0: none"
    )

    def loss(self, taxonomy: Taxonomy) -> Loss:
        return FlatSoftmaxLoss(taxonomy)

    def decision(self) -> Decision:
        return Leaf()


@dataclasses.dataclass(frozen=True, kw_only=True)
class CoarseCrossEntropyMethod(CoarseMethod):
    """Cross-entropy of the classes of one level: the baseline of learning fine classes from coarse labels."""

    name: ClassVar[str] = "coarse-cross-entropy"
    title: ClassVar[str] = "Coarse cross-entropy"
    citation: ClassVar[Citation] = ANCOR

    def head(self, taxonomy: Taxonomy, num_features: int) -> Head:
        return coarse_head(taxonomy, num_features, self.level, self.embedding)
