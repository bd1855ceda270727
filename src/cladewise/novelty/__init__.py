"""Novelty scores: evidence, at every inner node, that an image belongs to nothing known under it."""

from __future__ import annotations

import sys
from typing import Any

from cladewise.catalogue import make_part, named_parts
from cladewise.novelty.own_mass import OwnMass
from cladewise.novelty.raw import Energy, MaxLogit
from cladewise.novelty.score import NoveltyScore
from cladewise.novelty.shares import Entropy, MaxShare

__all__ = [
    "Energy",
    "Entropy",
    "MaxLogit",
    "MaxShare",
    "NoveltyScore",
    "OwnMass",
    "available",
    "make",
]


def available() -> dict[str, type[NoveltyScore]]:
    """Every novelty score by name.

    Example:
        >>> list(available())
        ['energy', 'entropy', 'max-logit', 'max-share', 'own-mass']
    """
    return named_parts(sys.modules[__name__], NoveltyScore)


def make(name: str, **options: Any) -> NoveltyScore:
    """The novelty score of a name.

    Raises:
        InputError: No such score.
    """
    return make_part(available(), "novelty score", name, options)
