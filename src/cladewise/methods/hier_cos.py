"""Hier-COS: one basis vector per node, and the class in whose subspace most of the image's vector lies."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from cladewise.decisions import Decision, Leaf
from cladewise.heads import EmbeddedHead, Head, LinearHead, Transformation
from cladewise.losses import HierCOSLoss, Loss
from cladewise.methods.method import Citation, Method, option
from cladewise.predictions import SubspaceNorms
from cladewise.taxonomy import Taxonomy


@dataclasses.dataclass(frozen=True, kw_only=True)
class HierCOSMethod(Method):
    """Coordinates in a fixed orthogonal frame with one basis vector per node; the largest projection names the leaf.

    The subspace of a class is spanned by the basis vectors of its node, its ancestors and its descendants, so classes
    that share more ancestors share more of their subspaces. The frame is the identity: the layer before it is linear
    and trained, so any other frame gives the same set of functions.
    """

    name: ClassVar[str] = "hier-cos"
    title: ClassVar[str] = "Composition of orthogonal subspaces (Hier-COS)"
    citation: ClassVar[Citation] = Citation(
        "Sani, Anand",
        "Hier-COS: Making Deep Features Hierarchy-aware via Composition of Orthogonal Subspaces",
        "CVPR",
        2026,
        "https://arxiv.org/abs/2503.07853",
    )

    alpha: float = option(
        0.001, "weight of the term that leaves one basis vector per depth, >= 0", grid=(1e-5, 0.001, 0.05, 0.1)
    )
    width: int = option(
        600, "largest width of the transformation module, otherwise the number of nodes; 0: none, a linear layer"
    )

    def head(self, taxonomy: Taxonomy, num_features: int) -> Head:
        num_vectors = taxonomy.num_nodes - 1
        width = min(self.width, max(1, num_vectors))

        def frame(num_inputs: int) -> LinearHead:
            return LinearHead(num_inputs, num_vectors, lambda scores: SubspaceNorms(taxonomy, scores))

        return EmbeddedHead(Transformation(num_features, width), frame(width)) if width else frame(num_features)

    def loss(self, taxonomy: Taxonomy) -> Loss:
        return HierCOSLoss(taxonomy, self.alpha)

    def decision(self) -> Decision:
        return Leaf()
