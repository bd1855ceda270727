"""Coarse cross-entropy and MoCo side by side."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from cladewise.methods.method import Citation, IntArray
from cladewise.methods.momentum_contrast import MomentumContrastMethod
from cladewise.methods.objective import Objective
from cladewise.methods.papers import ANCOR
from cladewise.taxonomy import Taxonomy


@dataclasses.dataclass(frozen=True, kw_only=True)
class CoarseMoCoMethod(MomentumContrastMethod):
    """Cross-entropy of the labels plus momentum contrast with all other images: ANCOR without angles and classes."""

    name: ClassVar[str] = "coarse-moco"
    title: ClassVar[str] = "Coarse cross-entropy and MoCo"
    citation: ClassVar[Citation] = ANCOR

    def objective(self, taxonomy: Taxonomy, nodes: IntArray) -> Objective:
        return self.queued(taxonomy, nodes, by_class=False, angular=False, taught=True)
