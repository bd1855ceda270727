"""HXE: a cross-entropy per step down the tree, discounted by depth."""

from __future__ import annotations

import dataclasses
from typing import ClassVar, Literal

from cladewise.decisions import Decision, Leaf
from cladewise.heads import Head, leaf_softmax_head, node_logit_head
from cladewise.losses import HXELoss, Loss
from cladewise.methods.method import Citation, Method, option
from cladewise.methods.papers import BETTER_MISTAKES
from cladewise.predictions import SiblingSoftmax
from cladewise.taxonomy import Taxonomy


@dataclasses.dataclass(frozen=True, kw_only=True)
class HXEMethod(Method):
    """A cross-entropy per step down the tree, with more weight on coarse steps."""

    name: ClassVar[str] = "hxe"
    title: ClassVar[str] = "Hierarchical cross-entropy (HXE)"
    citation: ClassVar[Citation] = BETTER_MISTAKES

    alpha: float = option(0.1, "discount per edge, >= 0", grid=(0.1, 0.2, 0.3, 0.4, 0.5, 0.6))
    weighting: Literal["parent-depth", "child-depth", "normalised"] = option(
        "parent-depth", "scaling of the discounts; normalised: the authors', which differs by a constant factor"
    )
    logits: Literal["leaf", "conditional"] = option(
        "leaf", "what is scored: the leaves, or every node among its siblings"
    )

    def head(self, taxonomy: Taxonomy, num_features: int) -> Head:
        if self.logits == "conditional":
            return node_logit_head(SiblingSoftmax, taxonomy, num_features)
        return leaf_softmax_head(taxonomy, num_features)

    def loss(self, taxonomy: Taxonomy) -> Loss:
        return HXELoss(taxonomy, alpha=self.alpha, weighting=self.weighting, logits=self.logits)

    def decision(self) -> Decision:
        return Leaf()
