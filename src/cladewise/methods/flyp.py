"""FLYP: fine-tune as the towers were pretrained, on the leaves."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from cladewise.decisions import Decision, Leaf
from cladewise.losses import Loss
from cladewise.methods.contrasted import levels_of
from cladewise.methods.image_text import ImageTextMethod
from cladewise.methods.method import Citation
from cladewise.taxonomy import Taxonomy


@dataclasses.dataclass(frozen=True, kw_only=True)
class FLYPMethod(ImageTextMethod):
    """Every image is held against the texts of its batch, and every text against the images: leaves alone (MCF)."""

    name: ClassVar[str] = "flyp"
    title: ClassVar[str] = "Finetune like you pretrain (FLYP)"
    citation: ClassVar[Citation] = Citation(
        "Goyal, Kumar, Garg, Kolter, Raghunathan",
        "Finetune like you pretrain: improved finetuning of zero-shot vision models",
        "CVPR",
        2023,
        "https://arxiv.org/abs/2212.00638",
    )

    def chosen(self, taxonomy: Taxonomy) -> tuple[int, ...]:
        return levels_of("finest", taxonomy)

    def loss(self, taxonomy: Taxonomy) -> Loss:
        return self.contrast(taxonomy, 0.5)

    def decision(self) -> Decision:
        return Leaf()
