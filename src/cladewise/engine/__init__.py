"""Fit, evaluate and predict."""

from cladewise.engine.evaluation import evaluate, evaluate_all
from cladewise.engine.predicting import Predicted, predict
from cladewise.engine.processes import is_first_process
from cladewise.engine.retrieval import Entailment, Retrieval, entails, retrieve
from cladewise.engine.run import Run
from cladewise.engine.spaces import PlacedImages, Retrieved, RunSpace, image_scores
from cladewise.engine.training import fit, rerun, train
from cladewise.engine.transitions import mean_transitions

__all__ = [
    "Entailment",
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
