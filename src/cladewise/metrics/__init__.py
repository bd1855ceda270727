"""Metrics: pure functions that give one value an image, and torchmetrics shells that stream over images."""

from cladewise.metrics.accuracy import leaf_answers, sibling, top_k
from cladewise.metrics.answer_scores import RANKING_LENGTH, answer_columns, score_answer
from cladewise.metrics.distance import hd_at_k, hierarchical_distance, mistake_severity
from cladewise.metrics.hits import HitAtK, level_rank
from cladewise.metrics.information import PathScores, cpb, depth_scores, information_scores
from cladewise.metrics.label_counts import LabelCounts
from cladewise.metrics.level_accuracy import full_path, level_correct, tice, weighted_level_accuracy
from cladewise.metrics.operating import OperatingCurve, OperatingCurves, operating_curve
from cladewise.metrics.prediction_scores import PREDICTION_COLUMNS, score_prediction
from cladewise.metrics.reliability import Reliability, ReliabilityCurve
from cladewise.metrics.resampling import curve_intervals
from cladewise.metrics.set_sizes import SetSizes
from cladewise.metrics.streaming import HierarchicalMetrics
from cladewise.metrics.truncation import truncate
from cladewise.ops import at_levels

__all__ = [
    "PREDICTION_COLUMNS",
    "RANKING_LENGTH",
    "HierarchicalMetrics",
    "HitAtK",
    "LabelCounts",
    "OperatingCurve",
    "OperatingCurves",
    "PathScores",
    "Reliability",
    "ReliabilityCurve",
    "SetSizes",
    "answer_columns",
    "at_levels",
    "cpb",
    "curve_intervals",
    "depth_scores",
    "full_path",
    "hd_at_k",
    "hierarchical_distance",
    "information_scores",
    "leaf_answers",
    "level_correct",
    "level_rank",
    "mistake_severity",
    "operating_curve",
    "score_answer",
    "score_prediction",
    "sibling",
    "tice",
    "top_k",
    "truncate",
    "weighted_level_accuracy",
]
