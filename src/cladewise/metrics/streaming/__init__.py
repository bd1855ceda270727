"""Streaming metrics: torchmetrics modules for training loops and several processes.

All of them are updated by ``update(preds, target)``, as :class:`TreeMetric` describes. Each file has the name of the
module of :mod:`cladewise.metrics` whose values it accumulates. Only this package imports torchmetrics.
"""

from cladewise.metrics.streaming.answer_scores import HierarchicalMetrics
from cladewise.metrics.streaming.collections import collection, scalar_metric
from cladewise.metrics.streaming.hits import HitAtK
from cladewise.metrics.streaming.label_counts import LabelCounts
from cladewise.metrics.streaming.operating import OperatingCurves
from cladewise.metrics.streaming.ordered_preference import OrderedPreference
from cladewise.metrics.streaming.prediction_scores import PredictionMetrics
from cladewise.metrics.streaming.reliability import Reliability
from cladewise.metrics.streaming.set_scores import SetMetrics
from cladewise.metrics.streaming.set_sizes import SetSizes
from cladewise.metrics.streaming.tree_metric import TreeMetric

__all__ = [
    "HierarchicalMetrics",
    "HitAtK",
    "LabelCounts",
    "OperatingCurves",
    "OrderedPreference",
    "PredictionMetrics",
    "Reliability",
    "SetMetrics",
    "SetSizes",
    "TreeMetric",
    "collection",
    "scalar_metric",
]
