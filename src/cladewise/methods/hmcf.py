"""HMCF: images near the texts of their classes at every level."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from cladewise.decisions import Decision, Levels
from cladewise.losses import Loss
from cladewise.methods.contrasted import levels_of
from cladewise.methods.image_text import ImageTextMethod
from cladewise.methods.method import Citation, option
from cladewise.taxonomy import Taxonomy


@dataclasses.dataclass(frozen=True, kw_only=True)
class HMCFMethod(ImageTextMethod):
    """At every level an image lies near the text of its node there; a projection a level, one text tower.

    Its scores are those that the inference rule ``diffusion`` was made for. ``levels`` leaves levels out; a level that
    takes no part is answered from finer ones.
    """

    name: ClassVar[str] = "hmcf"
    title: ClassVar[str] = "Hierarchical multi-modal contrastive fine-tuning (HMCF)"
    citation: ClassVar[Citation] = Citation(
        "Anonymous authors",
        "Hierarchical classification via diffusion on manifolds",
        "Under review",
        2024,
        "https://openreview.net/search?term=Hierarchical+Classification+via+Diffusion+on+Manifolds",
    )

    levels: str | int = option(  # one level alone comes as a number
        "all", "levels with a projection: all, or a list like 6,7 or genus,species that has the finest"
    )

    def chosen(self, taxonomy: Taxonomy) -> tuple[int, ...]:
        return levels_of(str(self.levels), taxonomy)

    def loss(self, taxonomy: Taxonomy) -> Loss:
        return self.contrast(taxonomy, 1.0)

    def decision(self) -> Decision:
        return Levels()
