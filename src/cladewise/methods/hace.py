"""HACE: prediction aggregation and ancestral label smoothing over a softmax of all nodes."""

from __future__ import annotations

import dataclasses
from typing import ClassVar, Literal

from cladewise.decisions import Decision, Leaf, NodeArgmax
from cladewise.heads import Head, LinearHead, leaf_softmax_head
from cladewise.losses import HACELoss, Loss
from cladewise.methods.method import Citation, Method, option
from cladewise.predictions import NodeSoftmax
from cladewise.taxonomy import Taxonomy


@dataclasses.dataclass(frozen=True, kw_only=True)
class HACEBase(Method):
    """What the HACE methods share: every node has a score and competes, and targets are diluted up their paths."""

    citation: ClassVar[Citation] = Citation(
        "Authors of arXiv:2605.06274",
        "Hierarchy-aware cross-entropy",
        "arXiv",
        2026,
        "https://arxiv.org/abs/2605.06274",
    )

    dilution: float = option(
        0.5, "share of the target that stays at each step up the path, in (0, 1]", grid=(0.2, 0.5, 0.7)
    )
    domain: Literal["nodes", "leaves"] = option("nodes", "what the softmax runs over; the paper's code: nodes")

    def head(self, taxonomy: Taxonomy, num_features: int) -> Head:
        if self.domain == "leaves":
            return leaf_softmax_head(taxonomy, num_features)
        with_root = not taxonomy.synthetic_root  # a root that is no label takes no part, as in the authors' code
        num_scores = taxonomy.num_nodes - (not with_root)
        return LinearHead(num_features, num_scores, lambda scores: NodeSoftmax(taxonomy, scores, with_root))

    def decision(self) -> Decision:
        return NodeArgmax() if self.domain == "nodes" else Leaf()


@dataclasses.dataclass(frozen=True, kw_only=True)
class HACEMethod(HACEBase):
    """Every node has a score and competes; the answer is the node that scores highest, an internal one if it must."""

    name: ClassVar[str] = "hace"
    title: ClassVar[str] = "Hierarchy-aware cross-entropy (HACE)"

    smoothing: float = option(0.0, "share of the target spread sideways before it is spread up, in [0, 1)")

    def loss(self, taxonomy: Taxonomy) -> Loss:
        return HACELoss(taxonomy, dilution=self.dilution, smoothing=self.smoothing, domain=self.domain)
