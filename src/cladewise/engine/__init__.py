"""Training, evaluation and prediction with one run folder.

Four packages: ``feeding`` turns image files into batches, ``training`` fits a network, ``describing`` makes one from
texts, ``answering`` makes predictions and evaluations with it; each may use the ones before. :class:`Run` is the data
they share. Names are imported when they are first used, so that predicting does not wait for what only training needs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cladewise.lazy import lazy_names

if TYPE_CHECKING:
    from cladewise.engine.answering.evaluation import evaluate, evaluate_all
    from cladewise.engine.answering.predicting import Predicted, predict
    from cladewise.engine.answering.retrieval import Entailment, Retrieval, entails, retrieve
    from cladewise.engine.answering.spaces import PlacedImages, Retrieved, RunSpace, image_scores
    from cladewise.engine.answering.transitions import mean_transitions
    from cladewise.engine.composed import Composed
    from cladewise.engine.deciding.decided import Decided
    from cladewise.engine.deciding.deciding import decide
    from cladewise.engine.describing.zero_shot import zero_shot
    from cladewise.engine.feeding.cache_entries import CacheEntry, cache_entries, clear_cache
    from cladewise.engine.processes import is_first_process
    from cladewise.engine.run import Run
    from cladewise.engine.training.fitting import fit
    from cladewise.engine.training.module import LossNotFiniteError
    from cladewise.engine.training.starting import rerun, train

__all__ = [
    "CacheEntry",
    "Composed",
    "Decided",
    "Entailment",
    "LossNotFiniteError",
    "PlacedImages",
    "Predicted",
    "Retrieval",
    "Retrieved",
    "Run",
    "RunSpace",
    "cache_entries",
    "clear_cache",
    "decide",
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
    "zero_shot",
]

_MODULES = {
    "CacheEntry": "cladewise.engine.feeding.cache_entries",
    "Decided": "cladewise.engine.deciding.decided",
    "Composed": "cladewise.engine.composed",
    "Entailment": "cladewise.engine.answering.retrieval",
    "LossNotFiniteError": "cladewise.engine.training.module",
    "PlacedImages": "cladewise.engine.answering.spaces",
    "Predicted": "cladewise.engine.answering.predicting",
    "Retrieval": "cladewise.engine.answering.retrieval",
    "Retrieved": "cladewise.engine.answering.spaces",
    "Run": "cladewise.engine.run",
    "RunSpace": "cladewise.engine.answering.spaces",
    "cache_entries": "cladewise.engine.feeding.cache_entries",
    "clear_cache": "cladewise.engine.feeding.cache_entries",
    "decide": "cladewise.engine.deciding.deciding",
    "entails": "cladewise.engine.answering.retrieval",
    "evaluate": "cladewise.engine.answering.evaluation",
    "evaluate_all": "cladewise.engine.answering.evaluation",
    "fit": "cladewise.engine.training.fitting",
    "image_scores": "cladewise.engine.answering.spaces",
    "is_first_process": "cladewise.engine.processes",
    "mean_transitions": "cladewise.engine.answering.transitions",
    "predict": "cladewise.engine.answering.predicting",
    "rerun": "cladewise.engine.training.starting",
    "retrieve": "cladewise.engine.answering.retrieval",
    "train": "cladewise.engine.training.starting",
    "zero_shot": "cladewise.engine.describing.zero_shot",
}
__getattr__, __dir__ = lazy_names(__name__, _MODULES)
