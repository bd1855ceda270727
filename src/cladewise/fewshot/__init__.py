"""What was never named: fine classes of a network that learnt coarse ones, told apart from a few images."""

from cladewise.fewshot.episodes import Episode, Pool, draw, make_pool
from cladewise.fewshot.logistic import LogisticRegressions, fit_logistic
from cladewise.fewshot.protocol import episode_accuracy, evaluate, evaluate_all

__all__ = [
    "Episode",
    "LogisticRegressions",
    "Pool",
    "draw",
    "episode_accuracy",
    "evaluate",
    "evaluate_all",
    "fit_logistic",
    "make_pool",
]
