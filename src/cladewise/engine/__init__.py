"""Fit, evaluate and predict."""

from lightning.pytorch.utilities.rank_zero import rank_zero_only

from cladewise.engine.evaluation import Scores, evaluate
from cladewise.engine.predicting import Predicted
from cladewise.engine.run import Run
from cladewise.engine.training import fit, train

__all__ = ["Predicted", "Run", "Scores", "evaluate", "fit", "is_first_process", "train"]


def is_first_process() -> bool:
    """Whether this process is the one that writes, where several train together."""
    return (rank_zero_only.rank or 0) == 0
