"""MoCo: views of an image told from other images, no labels."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from cladewise.methods.method import Citation, IntArray
from cladewise.methods.momentum_contrast import MomentumContrastMethod
from cladewise.methods.objective import Objective
from cladewise.taxonomy import Taxonomy


@dataclasses.dataclass(frozen=True, kw_only=True)
class MoCoMethod(MomentumContrastMethod):
    """Momentum contrast (v2): what no label teaches.

    The classifier of the labels learns beside it, from vectors that it does not change, so that the run can be
    evaluated like any other.
    """

    name: ClassVar[str] = "moco"
    title: ClassVar[str] = "Momentum contrast (MoCo v2)"
    citation: ClassVar[Citation] = Citation(
        "Chen, Fan, Girshick, He",
        "Improved baselines with momentum contrastive learning",
        "arXiv",
        2020,
        "https://arxiv.org/abs/2003.04297",
    )

    def objective(self, taxonomy: Taxonomy, nodes: IntArray) -> Objective:
        return self.queued(taxonomy, nodes, by_class=False, angular=False, taught=False)
