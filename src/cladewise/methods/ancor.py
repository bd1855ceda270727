"""ANCOR: images told apart inside their coarse class, by angles as seen from it."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from cladewise.methods.method import Citation, IntArray
from cladewise.methods.momentum_contrast import MomentumContrastMethod
from cladewise.methods.objective import Objective
from cladewise.methods.papers import ANCOR
from cladewise.taxonomy import Taxonomy


@dataclasses.dataclass(frozen=True, kw_only=True)
class ANCORMethod(MomentumContrastMethod):
    r"""Coarse cross-entropy, and momentum contrast with images of the same coarse class alone.

    .. math:: \ell = \ell_{CE} + \operatorname{InfoNCE}\bigl(A(q), A(k)\bigr), \qquad
        A(v) = \operatorname{norm}(\operatorname{norm}(v) - \operatorname{norm}(w_y))

    Cross-entropy draws the images of a class to its weight vector; contrast of directions as seen from there spreads
    them around it, and the two do not pull against each other.
    """

    name: ClassVar[str] = "ancor"
    title: ClassVar[str] = "Angular contrastive learning with coarse labels (ANCOR)"
    citation: ClassVar[Citation] = ANCOR

    def objective(self, taxonomy: Taxonomy, nodes: IntArray) -> Objective:
        return self.queued(taxonomy, nodes, by_class=True, angular=True, taught=True)
