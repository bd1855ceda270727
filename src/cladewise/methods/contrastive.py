"""Supervised contrastive methods: SupCon, HiMulCon, HiConE and HiMulConE."""

from __future__ import annotations

import dataclasses
from abc import abstractmethod
from typing import ClassVar

from cladewise.decisions import Decision, Levels
from cladewise.errors import InputError
from cladewise.heads import ContrastiveHead, Head
from cladewise.losses import LevelSoftmaxLoss
from cladewise.methods.method import Citation, IntArray, Method, levels_of, option
from cladewise.objectives import (
    ContrastiveLoss,
    HierarchicalContrastLoss,
    Objective,
    ProbedLoss,
    ProbedObjective,
    SupConLoss,
)
from cladewise.taxonomy import Taxonomy

USE_ALL_THE_LABELS = Citation(
    "Zhang, Xu, Xiong, Ramaiah",
    "Use all the labels: a hierarchical multi-label contrastive learning framework",
    "CVPR",
    2022,
    "https://arxiv.org/abs/2204.13207",
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class ContrastiveMethod(Method):
    """Base class of methods whose encoder learns from pairs of images, with linear probes trained alongside.

    With one view of each image, a batch without two images of a class teaches the encoder nothing.
    """

    embedding: int = option(600, "width of the trained layer between the features and what is compared; 0: none")
    projection: int = option(128, "length of the vectors that are compared")
    temperature: float = option(0.07, "temperature of the comparison, > 0", grid=(0.05, 0.07, 0.1))
    compared_views: int = option(
        2, "augmented views of each image in a batch, as published; 1: pairs of different images alone", before=1
    )

    def __post_init__(self) -> None:
        if self.compared_views < 1:
            raise InputError("compared_views of at least 1", self.compared_views)

    def head(self, taxonomy: Taxonomy, num_features: int) -> Head:
        return ContrastiveHead(taxonomy, num_features, embedding=self.embedding, width=self.projection)

    def loss(self, taxonomy: Taxonomy) -> ProbedLoss:
        return ProbedLoss(self.contrast(taxonomy), LevelSoftmaxLoss(taxonomy))

    def views(self) -> int:
        return self.compared_views

    def objective(self, taxonomy: Taxonomy, nodes: IntArray) -> Objective:
        del nodes
        return ProbedObjective(self.loss(taxonomy))

    def decision(self) -> Decision:
        return Levels()

    @abstractmethod
    def contrast(self, taxonomy: Taxonomy) -> ContrastiveLoss:
        """The loss of the projected vectors."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class SupConMethod(ContrastiveMethod):
    """Supervised contrast: vectors of one class are drawn together and pushed away from all others.

    It learns from pairs of one class within a batch, so batches should be large compared with the number of classes.
    """

    name: ClassVar[str] = "supcon"
    title: ClassVar[str] = "Supervised contrastive learning (SupCon)"
    citation: ClassVar[Citation] = Citation(
        "Khosla, Teterwak, Wang, Sarna, Tian, Isola, Maschinot, Liu, Krishnan",
        "Supervised contrastive learning",
        "NeurIPS",
        2020,
        "https://arxiv.org/abs/2004.11362",
    )

    levels: str | int = option(  # a single level arrives as a number
        "finest", "levels whose classes are drawn together: finest, all, or a list like 1,3 or genus,species"
    )

    def contrast(self, taxonomy: Taxonomy) -> ContrastiveLoss:
        levels = levels_of(str(self.levels), taxonomy)
        return SupConLoss(taxonomy, self.projection, levels, temperature=self.temperature)


@dataclasses.dataclass(frozen=True, kw_only=True)
class HierarchicalContrastMethod(ContrastiveMethod):
    """Base class of the three methods of hierarchical multi-label contrast.

    An image that is passed on to the coarser level takes all its views along.
    """

    penalty: ClassVar[bool]
    constraint: ClassVar[bool]

    levels: str | int = option("all", "levels whose classes are drawn together: all, finest, or a list like 1,3")
    penalty_base: float = option(
        2.0,
        "base b of the weights b^(1/l) of the levels, if the method has them, > 0: 2 as in the released loss, e as in "
        "the paper and the released training script",
    )

    def contrast(self, taxonomy: Taxonomy) -> ContrastiveLoss:
        return HierarchicalContrastLoss(
            taxonomy,
            self.projection,
            levels_of(str(self.levels), taxonomy),
            penalty=self.penalty,
            constraint=self.constraint,
            penalty_base=self.penalty_base,
            temperature=self.temperature,
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class HiMulConMethod(HierarchicalContrastMethod):
    """Contrast at every level, with larger weights at finer levels and one image per class passed on to the next."""

    name: ClassVar[str] = "himulcon"
    title: ClassVar[str] = "Hierarchical multi-label contrast (HiMulCon)"
    citation: ClassVar[Citation] = USE_ALL_THE_LABELS
    penalty: ClassVar[bool] = True
    constraint: ClassVar[bool] = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class HiConEMethod(HierarchicalContrastMethod):
    """Contrast at every level, where the loss of a coarser level is never below that of a finer one."""

    name: ClassVar[str] = "hicone"
    title: ClassVar[str] = "Hierarchical constraint enforcing contrast (HiConE)"
    citation: ClassVar[Citation] = USE_ALL_THE_LABELS
    penalty: ClassVar[bool] = False
    constraint: ClassVar[bool] = True


@dataclasses.dataclass(frozen=True, kw_only=True)
class HiMulConEMethod(HierarchicalContrastMethod):
    """HiMulCon's weights combined with HiConE's constraint."""

    name: ClassVar[str] = "himulcone"
    title: ClassVar[str] = "HiMulCon with HiConE's constraint (HiMulConE)"
    citation: ClassVar[Citation] = USE_ALL_THE_LABELS
    penalty: ClassVar[bool] = True
    constraint: ClassVar[bool] = True
