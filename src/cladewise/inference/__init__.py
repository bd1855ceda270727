"""Inference rules: functions from predictions to better predictions, without retraining."""

from __future__ import annotations

import sys
from typing import Any

from cladewise.catalogue import make_part, named_parts
from cladewise.inference.bottom_up import BottomUp
from cladewise.inference.calibrate import Calibrate
from cladewise.inference.chained import Chain, FittableChain, chain
from cladewise.inference.columns import NeedsColumns, bound_to
from cladewise.inference.differentiable_diffusion import DifferentiableDiffusion
from cladewise.inference.diffusion import Diffusion
from cladewise.inference.inference import Inference
from cladewise.inference.level_top_down import LevelTopDown, hierarchical_ensemble
from cladewise.inference.logit_adjustment import LogitAdjustment
from cladewise.inference.prior import Prior
from cladewise.inference.prohoc import ProHOC
from cladewise.inference.subset import Subset
from cladewise.inference.top_down import TopDown

__all__ = [
    "BottomUp",
    "Calibrate",
    "Chain",
    "DifferentiableDiffusion",
    "Diffusion",
    "FittableChain",
    "Inference",
    "LevelTopDown",
    "LogitAdjustment",
    "NeedsColumns",
    "Prior",
    "ProHOC",
    "Subset",
    "TopDown",
    "available",
    "bound_to",
    "chain",
    "hierarchical_ensemble",
    "make",
]


def available() -> dict[str, type[Inference]]:
    """Every inference rule by name."""
    return named_parts(sys.modules[__name__], Inference)


def make(name: str, **options: Any) -> Inference:
    """The inference rule of a name with its parameters.

    Raises:
        InputError: No such rule, no such parameter, or one that is missing.
    """
    return make_part(available(), "inference", name, options)
