"""A softmax at every level, trained along the label's path (TP-KL) and on targets smoothed over siblings (HiSCE)."""

from __future__ import annotations

import dataclasses
from typing import ClassVar, Literal

from cladewise.decisions import Decision, Levels
from cladewise.heads import Head, ImageTextHead
from cladewise.losses import LogitAdjustedLoss, Loss, TreePathLoss
from cladewise.methods.image_text import TextMethod
from cladewise.methods.level_softmax import LevelSoftmaxMethod
from cladewise.methods.method import Citation, levels_of, option
from cladewise.taxonomy import Taxonomy

H_CAST = Citation(
    "Park, Zhang, Yu, Beery, Huang",
    "Visually consistent hierarchical image classification",
    "ICLR",
    2025,
    "https://openreview.net/forum?id=7HEMpBTb3R",
)
HIERARCHY_AWARE_TUNING = Citation(
    "Li, Gangireddy, Akcay, Cheng, Hu",
    "Hierarchy-aware fine-tuning of vision-language models",
    "arXiv",
    2025,
    "https://arxiv.org/abs/2512.21529",
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class TreePathKLMethod(LevelSoftmaxMethod):
    """Level-wise softmax with a second loss: all levels share one softmax, whose target is the label's path.

    The objective of H-CAST. Its network, which segments the image and answers coarse levels from coarse segments, is
    not part of the method.
    """

    name: ClassVar[str] = "tp-kl"
    title: ClassVar[str] = "Level-wise softmax with tree-path KL divergence (TP-KL)"
    citation: ClassVar[Citation] = H_CAST

    level_weight: float = option(1.0, "weight of the cross-entropy at each level; 0: the divergence alone")
    path_weight: float = option(1.0, "weight of the tree-path KL divergence; 0: none", grid=(0.5, 1.0, 2.0, 4.0))

    def loss(self, taxonomy: Taxonomy) -> Loss:
        return TreePathLoss(
            taxonomy,
            self.chosen(taxonomy),
            self.tied,
            level_weight=self.level_weight,
            path_weight=self.path_weight,
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class SiblingSmoothedMethod(TreePathKLMethod):
    """Level-wise softmax with targets smoothed over the siblings of the label at each level, and the path's divergence.

    ``path_weight=0`` is HiSCE alone. See :class:`SiblingSmoothedTextMethod` for scores of texts, as in the paper.
    """

    name: ClassVar[str] = "hisce"
    title: ClassVar[str] = "Sibling-smoothed cross-entropy (HiSCE) and TP-KL"
    citation: ClassVar[Citation] = HIERARCHY_AWARE_TUNING

    smoothing: float = option(0.1, "mass of a target that the label's siblings share", grid=(0.05, 0.1, 0.2))

    def loss(self, taxonomy: Taxonomy) -> Loss:
        return TreePathLoss(
            taxonomy,
            self.chosen(taxonomy),
            self.tied,
            level_weight=self.level_weight,
            path_weight=self.path_weight,
            smoothing=self.smoothing,
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class SiblingSmoothedTextMethod(TextMethod):
    """The losses of ``hisce`` on cosines of images with the texts of all nodes of a level, for models with two towers.

    With low-rank adapters in both towers (``adapter_rank``) it is the method of the paper.
    """

    name: ClassVar[str] = "hisce-text"
    title: ClassVar[str] = "HiSCE and TP-KL on image-text scores"
    citation: ClassVar[Citation] = HIERARCHY_AWARE_TUNING

    tune: bool = option(True, "whether the text encoder is trained; if not, only a projection of its features is")
    encoded: Literal["all", "batch"] = option(
        "all",
        "texts that a step encodes if the text encoder is trained: all; or those of the batch's labels, where the "
        "vectors of the others date from earlier steps, for trees whose texts are too many",
    )
    levels: str | int = option("all", "levels with a projection: all, or a list like 1,3 that has the finest")
    smoothing: float = option(0.1, "mass of a target that the label's siblings share", grid=(0.05, 0.1, 0.2))
    level_weight: float = option(1.0, "weight of the smoothed cross-entropy at each level")
    path_weight: float = option(1.0, "weight of the tree-path KL divergence; 0: none", grid=(0.0, 0.5, 1.0, 2.0))

    def head(self, taxonomy: Taxonomy, num_features: int) -> Head:
        tower, scale, _ = self.tower(taxonomy, tuned=self.tune)  # a bias for all texts would cancel
        levels, every = levels_of(str(self.levels), taxonomy), self.encoded == "all"
        return ImageTextHead(taxonomy, num_features, tower, levels, scale=scale, all_texts=every)

    def loss(self, taxonomy: Taxonomy) -> Loss:
        loss = TreePathLoss(
            taxonomy,
            levels_of(str(self.levels), taxonomy),
            level_weight=self.level_weight,
            path_weight=self.path_weight,
            smoothing=self.smoothing,
        )
        return LogitAdjustedLoss(loss, self.adjust) if self.adjust else loss

    def decision(self) -> Decision:
        return Levels()
