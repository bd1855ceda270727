"""A linear classifier that starts from what is said of the classes; untrained, a zero-shot classifier."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from cladewise.decisions import Decision, Levels
from cladewise.heads import Head, TextClassifierHead
from cladewise.losses import LevelSoftmaxLoss, LogitAdjustedLoss, Loss
from cladewise.methods.contrasted import levels_of
from cladewise.methods.image_text import Worded
from cladewise.methods.method import Citation, option
from cladewise.taxonomy import Taxonomy


@dataclasses.dataclass(frozen=True, kw_only=True)
class TextClassifierMethod(Worded):
    """A classifier a level whose weights start as the vectors of the classes' texts and learn freely from there.

    With both towers of one open_clip model and ``--epochs 0`` it is the zero-shot classifier of that model.
    """

    name: ClassVar[str] = "text-classifier"
    title: ClassVar[str] = "Zero-shot and text-initialised linear classifier"
    citation: ClassVar[Citation] = Citation(
        "Wortsman, Ilharco, Kim, Li, Kornblith, Roelofs, Lopes, Hajishirzi, Farhadi, Namkoong, Schmidt",
        "Robust fine-tuning of zero-shot models",
        "CVPR",
        2022,
        "https://arxiv.org/abs/2109.01903",
    )

    levels: str | int = option("all", "levels with a classifier: all, or a list like 1,3 that has the finest")

    def head(self, taxonomy: Taxonomy, num_features: int) -> Head:
        tower, scale = self.tower(taxonomy, tuned=False)
        return TextClassifierHead(taxonomy, num_features, tower, levels_of(str(self.levels), taxonomy), scale=scale)

    def loss(self, taxonomy: Taxonomy) -> Loss:
        loss = LevelSoftmaxLoss(taxonomy, levels_of(str(self.levels), taxonomy))
        return LogitAdjustedLoss(loss, self.adjust) if self.adjust else loss

    def decision(self) -> Decision:
        return Levels()
