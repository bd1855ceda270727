"""SupCon: images of one class near each other."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from cladewise.losses import SupConLoss
from cladewise.losses.contrast import ContrastiveLoss
from cladewise.methods.contrasted import ContrastedMethod, levels_of
from cladewise.methods.method import Citation, option
from cladewise.taxonomy import Taxonomy


@dataclasses.dataclass(frozen=True, kw_only=True)
class SupConMethod(ContrastedMethod):
    """Vectors of one class are drawn together and away from all others; a linear classifier a level looks on.

    It learns from pairs of one class within a batch, so batches should be large beside the number of classes.
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

    levels: str | int = option(  # one level alone comes as a number
        "finest", "levels whose classes are drawn together: finest, all, or a list like 1,3 or genus,species"
    )

    def contrast(self, taxonomy: Taxonomy) -> ContrastiveLoss:
        levels = levels_of(str(self.levels), taxonomy)
        return SupConLoss(taxonomy, self.projection, levels, temperature=self.temperature)
