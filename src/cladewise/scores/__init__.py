"""Other people's scores as predictions: wide tables and lists of classes, in the files of the tools that made them."""

from cladewise.scores.opening import open_scores
from cladewise.scores.options import ScoreOptions
from cladewise.scores.scores import Scores

__all__ = ["ScoreOptions", "Scores", "open_scores"]
