"""HiMulCon, HiConE and HiMulConE: supervised contrast at every level."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from cladewise.losses import HierarchicalContrastLoss
from cladewise.losses.contrast import ContrastiveLoss
from cladewise.methods.contrasted import ContrastedMethod, levels_of
from cladewise.methods.method import Citation, option
from cladewise.taxonomy import Taxonomy

PAPER = Citation(
    "Zhang, Xu, Xiong, Ramaiah",
    "Use all the labels: a hierarchical multi-label contrastive learning framework",
    "CVPR",
    2022,
    "https://arxiv.org/abs/2204.13207",
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class HierarchicalContrastMethod(ContrastedMethod):
    """What the three have in common."""

    penalty: ClassVar[bool]
    constraint: ClassVar[bool]

    levels: str | int = option("all", "levels whose classes are drawn together: all, finest, or a list like 1,3")

    def contrast(self, taxonomy: Taxonomy) -> ContrastiveLoss:
        return HierarchicalContrastLoss(
            taxonomy,
            self.projection,
            levels_of(str(self.levels), taxonomy),
            penalty=self.penalty,
            constraint=self.constraint,
            temperature=self.temperature,
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class HiMulConMethod(HierarchicalContrastMethod):
    """Contrast at every level, the finer ones counting more; one image of each class goes on to the next."""

    name: ClassVar[str] = "himulcon"
    title: ClassVar[str] = "Hierarchical multi-label contrast (HiMulCon)"
    citation: ClassVar[Citation] = PAPER
    penalty: ClassVar[bool] = True
    constraint: ClassVar[bool] = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class HiConEMethod(HierarchicalContrastMethod):
    """Contrast at every level, no coarser level counting less than a finer one."""

    name: ClassVar[str] = "hicone"
    title: ClassVar[str] = "Hierarchical constraint enforcing contrast (HiConE)"
    citation: ClassVar[Citation] = PAPER
    penalty: ClassVar[bool] = False
    constraint: ClassVar[bool] = True


@dataclasses.dataclass(frozen=True, kw_only=True)
class HiMulConEMethod(HierarchicalContrastMethod):
    """HiMulCon's weights and HiConE's constraint together."""

    name: ClassVar[str] = "himulcone"
    title: ClassVar[str] = "HiMulCon with HiConE's constraint (HiMulConE)"
    citation: ClassVar[Citation] = PAPER
    penalty: ClassVar[bool] = True
    constraint: ClassVar[bool] = True
