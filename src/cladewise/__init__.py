"""Cladewise: hierarchical image classification. Images in, a place in a label tree out.

>>> import cladewise as cw
>>> taxonomy = cw.Taxonomy.from_paths([("bird", "warbler"), ("bird", "wren"), ("moth",)])
>>> loss = cw.losses.HACELoss(taxonomy, dilution=0.5)

Every command of the command line is a function here, with the same names: ``cladewise train`` is :func:`train`.
Packages and functions are loaded when they are first used; trees, records and reports need no torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from cladewise.errors import InputError, MissingExtraError
from cladewise.taxonomy import Taxonomy
from cladewise.verbs import VERBS, verb
from cladewise.version import __version__

if TYPE_CHECKING:
    from cladewise import (
        auditing,
        backbones,
        calibration,
        choosing,
        datasets,
        decisions,
        discovery,
        embeddings,
        episodes,
        estimators,
        explanations,
        exporting,
        features,
        geometry,
        heads,
        hub,
        induction,
        inference,
        interchange,
        loops,
        losses,
        methods,
        metrics,
        migration,
        novelty,
        objectives,
        ops,
        predictions,
        report,
        runtimes,
        scale,
        scores,
        serving,
        sources,
        statistics,
        suites,
        unknowns,
    )
    from cladewise.auditing import audit
    from cladewise.choosing import choose
    from cladewise.discovery import discover
    from cladewise.embeddings import embed
    from cladewise.engine import Run, decide, entails, evaluate, fit, predict, rerun, retrieve, train, zero_shot
    from cladewise.episodes import few_shot
    from cladewise.explanations import explain, look_alikes, manifolds, space
    from cladewise.exporting import export
    from cladewise.features import embed_images, nearest
    from cladewise.features import index_features as index
    from cladewise.hub import push
    from cladewise.induction import induce
    from cladewise.migration import migrate
    from cladewise.records import Evaluation
    from cladewise.report import compare
    from cladewise.serving import serve
    from cladewise.suites import benchmark, demo
    from cladewise.unknowns import evaluate_unknown

__all__ = [
    "Evaluation",
    "InputError",
    "MissingExtraError",
    "Run",
    "Taxonomy",
    "__version__",
    "audit",
    "auditing",
    "backbones",
    "benchmark",
    "calibration",
    "choose",
    "choosing",
    "compare",
    "datasets",
    "decide",
    "decisions",
    "demo",
    "discover",
    "discovery",
    "embed",
    "embed_images",
    "embeddings",
    "entails",
    "episodes",
    "estimators",
    "evaluate",
    "evaluate_unknown",
    "explain",
    "explanations",
    "export",
    "exporting",
    "features",
    "few_shot",
    "fit",
    "geometry",
    "heads",
    "hub",
    "index",
    "induce",
    "induction",
    "inference",
    "interchange",
    "look_alikes",
    "loops",
    "losses",
    "manifolds",
    "methods",
    "metrics",
    "migrate",
    "migration",
    "nearest",
    "novelty",
    "objectives",
    "ops",
    "predict",
    "predictions",
    "push",
    "report",
    "rerun",
    "retrieve",
    "runtimes",
    "scale",
    "scores",
    "serve",
    "serving",
    "sources",
    "space",
    "statistics",
    "suites",
    "train",
    "unknowns",
    "zero_shot",
]

_CLASSES = {"Evaluation": "cladewise.records", "Run": "cladewise.engine"}


def __getattr__(name: str) -> Any:
    """Import a package, a class or a verb when it is first used."""
    if name in VERBS:
        found: Any = verb(name)
    elif name in _CLASSES:
        found = getattr(importlib.import_module(_CLASSES[name]), name)
    elif name in __all__:
        found = importlib.import_module(f"cladewise.{name}")
    else:
        raise AttributeError(f"module 'cladewise' has no attribute {name!r}")
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted(__all__)
