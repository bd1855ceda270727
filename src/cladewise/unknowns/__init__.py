"""Measuring what a run makes of images of classes that it does not know."""

from cladewise.unknowns.features import feature_fit
from cladewise.unknowns.protocol import RULES, SCORES, evaluate_unknown

__all__ = ["RULES", "SCORES", "evaluate_unknown", "feature_fit"]
