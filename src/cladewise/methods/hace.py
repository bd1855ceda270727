"""HACE and its variants: a softmax over all nodes, with targets diluted towards the root."""

from __future__ import annotations

import dataclasses
from typing import ClassVar, Literal

from cladewise.decisions import Decision, Leaf, NodeArgmax
from cladewise.errors import InputError
from cladewise.heads import Head, LinearHead, leaf_softmax_head
from cladewise.losses import HACELoss, HACESoftLoss, Loss
from cladewise.methods.method import Citation, Method, option
from cladewise.predictions import NodeSoftmax
from cladewise.taxonomy import Taxonomy


@dataclasses.dataclass(frozen=True, kw_only=True)
class HACEBase(Method):
    """Base class of the HACE methods: all nodes compete in one softmax, and targets are diluted up their paths."""

    citation: ClassVar[Citation] = Citation(
        "Chan, D'Ascenzo, Cultrera di Montesano",
        "When Labels Have Structure: Improving Image Classification with Hierarchy-Aware Cross-Entropy",
        "arXiv",
        2026,
        "https://arxiv.org/abs/2605.06274",
    )

    dilution: float = option(
        0.5, "share of the target that stays at each step up the path, in (0, 1]", grid=(0.2, 0.5, 0.7)
    )
    domain: Literal["nodes", "leaves"] = option("nodes", "what the softmax runs over; the paper's code: nodes")
    with_root: bool | Literal["auto"] = option(
        "auto", "whether the root has a score and the target's remainder; auto: if it is a label of the tree's source"
    )
    eps: float = option(0.0, "added to probabilities before the logarithm; 1e-6 in the paper's code")

    def head(self, taxonomy: Taxonomy, num_features: int) -> Head:
        if self.domain == "leaves":
            return leaf_softmax_head(taxonomy, num_features)
        with_root = self.root_takes_part(taxonomy)
        num_scores = taxonomy.num_nodes - (not with_root)
        return LinearHead(num_features, num_scores, lambda scores: NodeSoftmax(taxonomy, scores, with_root))

    def root_takes_part(self, taxonomy: Taxonomy) -> bool:
        """Whether the root has a score, and the remainder of a diluted target."""
        if self.with_root not in (True, False, "auto"):
            raise InputError("with_root true, false or auto", repr(self.with_root), at=f"the method {self.name}")
        return not taxonomy.synthetic_root if self.with_root == "auto" else self.with_root

    def decision(self) -> Decision:
        return NodeArgmax() if self.domain == "nodes" else Leaf()


@dataclasses.dataclass(frozen=True, kw_only=True)
class HACEMethod(HACEBase):
    """Hierarchy-aware cross-entropy; the answer is the node with the highest score, which may be an internal one."""

    name: ClassVar[str] = "hace"
    title: ClassVar[str] = "Hierarchy-aware cross-entropy (HACE)"

    smoothing: float = option(0.0, "share of the target spread sideways before it is spread up, in [0, 1)")
    smoothing_over: Literal["leaves", "nodes"] = option(
        "leaves",
        "where that share goes: the leaves (the paper), or all nodes (the paper's code where the root has one)",
    )

    def loss(self, taxonomy: Taxonomy) -> Loss:
        return HACELoss(
            taxonomy,
            dilution=self.dilution,
            smoothing=self.smoothing,
            smoothing_over=self.smoothing_over,
            domain=self.domain,
            with_root=self.root_takes_part(taxonomy),
            eps=self.eps,
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class HACESmoothMethod(HACEMethod):
    """HACE with a tenth of the target spread over the other leaves, or over all other nodes."""

    name: ClassVar[str] = "hace-smooth"
    title: ClassVar[str] = "HACE with label smoothing"

    smoothing: float = option(0.1, "share of the target spread sideways before it is spread up, in [0, 1)", grid=(0.1,))


@dataclasses.dataclass(frozen=True, kw_only=True)
class HACESoftMethod(HACEBase):
    """HACE with soft labels: the target is first spread over nearby leaves and then diluted up their paths."""

    name: ClassVar[str] = "hace-soft"
    title: ClassVar[str] = "HACE with soft labels"

    beta: float = option(10.0, "hardness of the soft labels, >= 0: 0 is uniform, large one-hot", grid=(10.0, 30.0, 1e7))
    distance: str = option(
        "hace", "distance of two leaves: hace, lca-height, or a file of distances (.npy, .csv, .tsv, .parquet, .txt)"
    )

    def loss(self, taxonomy: Taxonomy) -> Loss:
        return HACESoftLoss(
            taxonomy,
            dilution=self.dilution,
            beta=self.beta,
            distance=self.distance,
            domain=self.domain,
            with_root=self.root_takes_part(taxonomy),
            eps=self.eps,
        )
