"""Taxon-SSL: labels at any level, completed by pseudo-labels that agree over the whole path."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from cladewise.decisions import Decision, Levels
from cladewise.errors import InputError
from cladewise.heads import ContrastiveHead, Head
from cladewise.losses import LevelSoftmaxLoss
from cladewise.methods.method import Citation, IntArray, Method, option
from cladewise.objectives import Objective, ProbedLoss, SupConLoss, TaxonSSLObjective
from cladewise.taxonomy import Taxonomy


@dataclasses.dataclass(frozen=True, kw_only=True)
class TaxonSSLMethod(Method):
    """A classifier per level that learns from the levels a label determines, and from pseudo-labels at the others.

    Images whose pseudo-labels agree at all levels are drawn together. It is made for training labels at any level
    (``label_levels``); where all labels are at leaves, pseudo-labels add little.
    """

    name: ClassVar[str] = "taxon-ssl"
    title: ClassVar[str] = "Taxonomy-guided semi-supervised learning (Taxon-SSL)"
    citation: ClassVar[Citation] = Citation(
        "Park, Wang, Yu",
        "Free-grained hierarchical visual recognition",
        "CVPR",
        2026,
        "https://arxiv.org/abs/2510.14737",
    )

    embedding: int = option(600, "width of the trained layer between the features and the classifiers; 0: none")
    projection: int = option(128, "length of the vectors that are compared")
    compared_views: int = option(3, "augmented views of each image in a batch: one to label, two to compare")
    temperature: float = option(0.1, "temperature of the comparison, > 0")
    pseudo: float = option(1.0, "weight of the pseudo-labels, >= 0")
    contrast: float = option(1.0, "weight of the comparison, >= 0")
    trusted: float = option(0.8, "share of the pseudo-labels that are learnt from in the end, by their scores")
    ramp: int = option(10, "epochs over which that share grows from 0.05; published: a quarter of all")

    def __post_init__(self) -> None:
        if self.compared_views < 1:
            raise InputError("compared_views of at least 1", self.compared_views)

    def head(self, taxonomy: Taxonomy, num_features: int) -> Head:
        return ContrastiveHead(taxonomy, num_features, embedding=self.embedding, width=self.projection, probes=False)

    def loss(self, taxonomy: Taxonomy) -> ProbedLoss:
        """Cross-entropy at the levels of the label, and contrast of images whose labels agree at all levels."""
        finest = (taxonomy.num_levels,) if taxonomy.num_levels else ()
        settings = {"temperature": self.temperature, "base_temperature": self.temperature}
        return ProbedLoss(SupConLoss(taxonomy, self.projection, finest, **settings), LevelSoftmaxLoss(taxonomy))

    def views(self) -> int:
        return self.compared_views

    def objective(self, taxonomy: Taxonomy, nodes: IntArray) -> Objective:
        return TaxonSSLObjective(
            taxonomy,
            int((nodes >= 0).sum()),
            pseudo=self.pseudo,
            contrast=self.contrast,
            temperature=self.temperature,
            trusted=self.trusted,
            ramp=self.ramp,
        )

    def decision(self) -> Decision:
        return Levels()
