"""FGoN: coarse classifiers that look at fine features without disturbing them."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, ClassVar, Literal

from cladewise.decisions import Decision, Levels
from cladewise.heads import Head, finer_parts_head
from cladewise.losses import LevelSoftmaxLoss, Loss
from cladewise.methods.embedded import EmbeddedMethod
from cladewise.methods.method import Citation, option
from cladewise.taxonomy import Taxonomy

if TYPE_CHECKING:
    from cladewise.backbones import Pooling


@dataclasses.dataclass(frozen=True, kw_only=True)
class FGoNMethod(EmbeddedMethod):
    """A part of the embedding for every level, which its classifier alone teaches; coarser ones look at it too.

    The parts are equally wide, the coarsest ones wider by 1 where the width is no multiple of the levels. End to end
    the encoder's feature map is pooled by its maximum, as in the authors' code, whose window at 224 pixels is the whole
    map; features of a frozen encoder come as the encoder pools them itself.
    """

    name: ClassVar[str] = "fgon"
    title: ClassVar[str] = "Fine-grained or not (FGoN)"
    citation: ClassVar[Citation] = Citation(
        "Chang, Pang, Zheng, Ma, Song, Guo",
        'Your "flamingo" is my "bird": fine-grained, or not',
        "CVPR",
        2021,
        "https://arxiv.org/abs/2011.09040",
    )

    pool: Literal["max", "own"] = option(
        "max", "end to end, how the encoder pools its feature map: by its maximum, or in its own way"
    )

    def classifier(self, taxonomy: Taxonomy, width: int) -> Head:
        return finer_parts_head(taxonomy, width)

    def loss(self, taxonomy: Taxonomy) -> Loss:
        return LevelSoftmaxLoss(taxonomy)

    def decision(self) -> Decision:
        return Levels()

    def pooling(self) -> Pooling:
        return self.pool
