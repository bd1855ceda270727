"""FGoN: coarse classifiers that use fine features without sending gradients to them."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, ClassVar, Literal

from cladewise.decisions import Decision, Levels
from cladewise.heads import Head, embedded_head, finer_parts_head
from cladewise.losses import LevelSoftmaxLoss, Loss
from cladewise.methods.method import Citation, Method, option
from cladewise.taxonomy import Taxonomy

if TYPE_CHECKING:
    from cladewise.backbones import Pooling


@dataclasses.dataclass(frozen=True, kw_only=True)
class FGoNMethod(Method):
    """One part of the embedding per level, trained by that level's classifier alone and also used by coarser ones.

    The parts are equally wide, with the remainder spread over the coarsest ones. End to end, the encoder's feature map
    is max-pooled, as in the authors' code, whose window at 224 pixels covers the whole map; features of a frozen
    encoder use the encoder's own pooling.
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

    embedding: int = option(600, "width of the trained layer between the features and the classifiers; 0: none")
    pool: Literal["max", "own"] = option(
        "max", "pooling of the feature map in end-to-end training: maximum, or the encoder's own"
    )

    def head(self, taxonomy: Taxonomy, num_features: int) -> Head:
        return embedded_head(num_features, self.embedding, lambda width: finer_parts_head(taxonomy, width))

    def loss(self, taxonomy: Taxonomy) -> Loss:
        return LevelSoftmaxLoss(taxonomy)

    def decision(self) -> Decision:
        return Levels()

    def pooling(self) -> Pooling:
        return self.pool
