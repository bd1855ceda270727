"""Cladewise: hierarchical image classification. Images in, a place in a label tree out.

>>> import cladewise as cw
>>> taxonomy = cw.Taxonomy.from_paths([("bird", "warbler"), ("bird", "wren"), ("moth",)])
>>> loss = cw.losses.HACELoss(taxonomy, dilution=0.5)
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from cladewise.errors import InputError, MissingExtraError
from cladewise.taxonomy import Taxonomy

if TYPE_CHECKING:
    from cladewise import (
        backbones,
        datasets,
        decisions,
        discovery,
        embeddings,
        episodes,
        explanations,
        geometry,
        heads,
        inference,
        losses,
        methods,
        metrics,
        ops,
        predictions,
        report,
        statistics,
    )
    from cladewise.engine import Run, evaluate, fit, train
    from cladewise.records import Evaluation

__version__ = "0.1.0"
__all__ = [
    "Evaluation",
    "InputError",
    "MissingExtraError",
    "Run",
    "Taxonomy",
    "__version__",
    "backbones",
    "datasets",
    "decisions",
    "discovery",
    "embeddings",
    "episodes",
    "evaluate",
    "explanations",
    "fit",
    "geometry",
    "heads",
    "inference",
    "losses",
    "methods",
    "metrics",
    "ops",
    "predictions",
    "report",
    "statistics",
    "train",
]


def __getattr__(name: str) -> Any:
    """Load what needs torch when it is first asked for: trees, records and reports do without."""
    if name == "Evaluation":
        return importlib.import_module("cladewise.records").Evaluation
    if name in ("Run", "evaluate", "fit", "train"):
        return getattr(importlib.import_module("cladewise.engine"), name)
    if name in __all__:
        return importlib.import_module(f"cladewise.{name}")
    raise AttributeError(f"module 'cladewise' has no attribute {name!r}")
