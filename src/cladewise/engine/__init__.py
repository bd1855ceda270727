"""Training, evaluation and prediction with one run folder.

Three rooms: ``feeding`` turns image files into batches, ``training`` fits a network, ``answering`` makes predictions
and evaluations with it; each may use the ones before. :class:`Run` is the data they share. Names are imported when they
are first used, so that predicting does not wait for what only training needs.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cladewise.engine.answering.evaluation import evaluate, evaluate_all
    from cladewise.engine.answering.predicting import Predicted, predict
    from cladewise.engine.answering.retrieval import Entailment, Retrieval, entails, retrieve
    from cladewise.engine.answering.spaces import PlacedImages, Retrieved, RunSpace, image_scores
    from cladewise.engine.answering.transitions import mean_transitions
    from cladewise.engine.processes import is_first_process
    from cladewise.engine.run import Run
    from cladewise.engine.training.fitting import fit
    from cladewise.engine.training.module import LossNotFiniteError
    from cladewise.engine.training.starting import rerun, train

__all__ = [
    "Entailment",
    "LossNotFiniteError",
    "PlacedImages",
    "Predicted",
    "Retrieval",
    "Retrieved",
    "Run",
    "RunSpace",
    "entails",
    "evaluate",
    "evaluate_all",
    "fit",
    "image_scores",
    "is_first_process",
    "mean_transitions",
    "predict",
    "rerun",
    "retrieve",
    "train",
]

_MODULES = {
    "Entailment": "answering.retrieval",
    "LossNotFiniteError": "training.module",
    "PlacedImages": "answering.spaces",
    "Predicted": "answering.predicting",
    "Retrieval": "answering.retrieval",
    "Retrieved": "answering.spaces",
    "Run": "run",
    "RunSpace": "answering.spaces",
    "entails": "answering.retrieval",
    "evaluate": "answering.evaluation",
    "evaluate_all": "answering.evaluation",
    "fit": "training.fitting",
    "image_scores": "answering.spaces",
    "is_first_process": "processes",
    "mean_transitions": "answering.transitions",
    "predict": "answering.predicting",
    "rerun": "training.starting",
    "retrieve": "answering.retrieval",
    "train": "training.starting",
}
"""The module of every name."""


def __getattr__(name: str) -> Any:
    """Import a name when it is first used."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
