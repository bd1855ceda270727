"""Vanilla single: a classifier at every level on one shared encoder."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from cladewise.methods.method import Citation
from cladewise.methods.papers import HIERARCHY_TRANSITION
from cladewise.methods.plc import PLCMethod


@dataclasses.dataclass(frozen=True, kw_only=True)
class VanillaSingleMethod(PLCMethod):
    """One encoder and one embedding for all levels, and a classifier at each.

    The per-level classifier by another name: what the two papers call so is the same model, trained differently.
    """

    name: ClassVar[str] = "vanilla-single"
    title: ClassVar[str] = "One encoder, one classifier per level (Vanilla single)"
    citation: ClassVar[Citation] = HIERARCHY_TRANSITION
