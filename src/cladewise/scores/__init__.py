"""Other people's scores as predictions: wide tables and lists of classes, in the files of the tools that made them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cladewise.lazy import lazy_names

if TYPE_CHECKING:
    from cladewise.scores.opening import open_scores
    from cladewise.scores.options import ScoreOptions
    from cladewise.scores.scores import Scores

__all__ = ["ScoreOptions", "Scores", "open_scores"]

_MODULES = {
    "ScoreOptions": "cladewise.scores.options",
    "Scores": "cladewise.scores.scores",
    "open_scores": "cladewise.scores.opening",
}
__getattr__, __dir__ = lazy_names(__name__, _MODULES)
