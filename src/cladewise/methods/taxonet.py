"""TaxoNet: prototypes in an embedding, with margins by the frequency of each leaf."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from cladewise.decisions import Decision, Leaf
from cladewise.heads import CosineHead, Head, embedded_head
from cladewise.losses import DualMarginLoss, Loss
from cladewise.methods.method import Citation, Method, option
from cladewise.predictions import LeafSoftmax
from cladewise.taxonomy import Taxonomy


@dataclasses.dataclass(frozen=True, kw_only=True)
class TaxoNetMethod(Method):
    r"""Dual margins for long tails: rare leaves must win by more, and are pushed away by less.

    .. math:: \ell = -\log \frac{\sum_{l \in B(t)} e^{s (\cos\theta_l - m_l)}}{\sum_{l \in B(t)} e^{s (\cos\theta_l -
        m_l)} + \sum_{l \notin B(t)} e^{s (\cos\theta_l - \rho\, m_l)}}, \qquad m_l = M (n_{min} / n_l)^{\gamma}

    The classes are the leaves, and inner nodes are sums over them. The dual margin is published; the tree takes no part
    in it. The sampling by the norm of an embedding is left out; ``--balance sample`` draws all labels alike. Neither
    the full text nor code was to be had: :class:`~cladewise.losses.DualMarginLoss` says what is ours.
    """

    name: ClassVar[str] = "taxonet"
    title: ClassVar[str] = "Dual-margin embedding (TaxoNet)"
    citation: ClassVar[Citation] = Citation(
        "Low, Koo, Park, Cha",
        "Dual-margin embedding for fine-grained long-tailed plant taxonomy",
        "arXiv",
        2025,
        "https://arxiv.org/abs/2512.18994",
    )

    embedding: int = option(600, "width of the trained layer between the features and the prototypes; 0: none")
    scale: float = option(30.0, "factor s of the cosines, > 0")
    margin: float = option(0.2, "margin M of the rarest leaf, in cosine, in [0, 2]")
    power: float = option(0.25, "power gamma by which margins fall with the number of training images; 0: all equal")
    rival: float = option(1.0, "weight rho of the margins of leaves that are not the label's; 0: none (LDAM)")

    def head(self, taxonomy: Taxonomy, num_features: int) -> Head:
        def prototypes(width: int) -> Head:
            return CosineHead(
                width, taxonomy.num_leaves, lambda scores: LeafSoftmax(taxonomy, scores), scale=self.scale
            )

        return embedded_head(num_features, self.embedding, prototypes)

    def loss(self, taxonomy: Taxonomy) -> Loss:
        return DualMarginLoss(taxonomy, scale=self.scale, margin=self.margin, power=self.power, rival=self.rival)

    def decision(self) -> Decision:
        return Leaf()
