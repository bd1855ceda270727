"""Metrics: pure functions that give one value an image, and a torchmetrics shell that streams them."""

from cladewise.metrics.accuracy import sibling, top_k
from cladewise.metrics.distance import hd_at_k, hierarchical_distance, mistake_severity
from cladewise.metrics.evaluate import RANKING_LENGTH, column_names, evaluate
from cladewise.metrics.levels import at_levels, full_path, level_correct, tice
from cladewise.metrics.streaming import HierarchicalMetrics
from cladewise.metrics.truncation import truncate

__all__ = [
    "RANKING_LENGTH",
    "HierarchicalMetrics",
    "at_levels",
    "column_names",
    "evaluate",
    "full_path",
    "hd_at_k",
    "hierarchical_distance",
    "level_correct",
    "mistake_severity",
    "sibling",
    "tice",
    "top_k",
    "truncate",
]
