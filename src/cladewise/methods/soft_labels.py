"""Soft labels: a softmax over the leaves, trained on targets spread by tree distance."""

from __future__ import annotations

import dataclasses
from typing import ClassVar, Literal

from cladewise.decisions import Decision, Leaf
from cladewise.heads import Head, leaf_softmax_head
from cladewise.losses import Loss, SoftLabelLoss
from cladewise.methods.method import Citation, Method, option
from cladewise.methods.papers import BETTER_MISTAKES
from cladewise.taxonomy import Taxonomy


@dataclasses.dataclass(frozen=True, kw_only=True)
class SoftLabelsMethod(Method):
    """Cross-entropy against targets that give more mass to leaves closer in the tree."""

    name: ClassVar[str] = "soft-labels"
    title: ClassVar[str] = "Soft labels"
    citation: ClassVar[Citation] = BETTER_MISTAKES

    beta: float = option(
        10.0, "hardness of the labels, >= 0: 0 is uniform, large one-hot", grid=(4.0, 5.0, 10.0, 15.0, 20.0, 30.0)
    )
    distance: str = option(
        "lca-height",
        "distance of two leaves: lca-height, hace, or a file of distances (.npy, .csv, .tsv, .parquet, .txt)",
    )
    reduction: Literal["sum", "elementwise"] = option(
        "sum", "sum over the leaves; or elementwise, their mean, as the authors' code has it"
    )

    def head(self, taxonomy: Taxonomy, num_features: int) -> Head:
        return leaf_softmax_head(taxonomy, num_features)

    def loss(self, taxonomy: Taxonomy) -> Loss:
        return SoftLabelLoss(taxonomy, self.beta, self.distance, self.reduction)

    def decision(self) -> Decision:
        return Leaf()
