"""Few-shot evaluation: how well a trained network tells apart fine classes it was never given labels for."""

from cladewise.episodes.episode import Episode, Pool, draw_episode, make_pool
from cladewise.episodes.logistic import LogisticRegressions, fit_logistic
from cladewise.episodes.protocol import episode_accuracy, few_shot, few_shot_all

__all__ = [
    "Episode",
    "LogisticRegressions",
    "Pool",
    "draw_episode",
    "episode_accuracy",
    "few_shot",
    "few_shot_all",
    "fit_logistic",
    "make_pool",
]
