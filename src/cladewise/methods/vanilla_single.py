"""Vanilla single: a classifier at every level on one shared encoder."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from cladewise.methods.method import Citation
from cladewise.methods.plc import PLCMethod


@dataclasses.dataclass(frozen=True, kw_only=True)
class VanillaSingleMethod(PLCMethod):
    """One encoder and one embedding for all levels, and a classifier at each.

    The per-level classifier by another name: what the two papers call so is the same model, trained differently.
    """

    name: ClassVar[str] = "vanilla-single"
    title: ClassVar[str] = "One encoder, a classifier a level (Vanilla single)"
    citation: ClassVar[Citation] = Citation(
        "Wang, Cai, Xiao, Jia, Han, Meng",
        "Label hierarchy transition: delving into class hierarchies to enhance deep classifiers",
        "arXiv",
        2021,
        "https://arxiv.org/abs/2112.02353",
    )
