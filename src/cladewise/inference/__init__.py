"""Inference rules: prediction to prediction."""

from __future__ import annotations

import sys
from typing import Any

from cladewise.catalogue import make_part, named_parts
from cladewise.inference.bottom_up import BottomUp
from cladewise.inference.inference import Inference

__all__ = ["BottomUp", "Inference", "available", "make"]


def available() -> dict[str, type[Inference]]:
    """Every inference rule by name."""
    return named_parts(sys.modules[__name__], Inference)


def make(name: str, **options: Any) -> Inference:
    """The inference rule of a name with its parameters.

    Raises:
        InputError: No such rule or parameter.
    """
    return make_part(available(), "inference", name, options)
