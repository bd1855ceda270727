"""Metrics of hierarchical classification.

:func:`measure` computes all of them for some images. Every metric is also a function of its own on tensors of node
indices, one value per image; those that cannot be a mean of such values (curves, calibration, label counts) take the
whole batch. For training loops and several processes, the same metrics are torchmetrics modules, which import
torchmetrics when first used.

Example:
    >>> import torch
    >>> import cladewise as cw
    >>> t = cw.Taxonomy.from_paths([("bird", "wren"), ("bird", "robin"), ("moth",)], level_names=["class", "species"])
    >>> prediction = cw.predictions.LeafSoftmax(t, torch.tensor([[2.0, 1.0, 0.0], [0.0, 0.5, 1.0], [1.0, 1.2, 0.0]]))
    >>> wren, robin, moth = (t.find(name) for name in ("wren", "robin", "moth"))
    >>> target = torch.tensor([wren, moth, wren])
    >>> values = measure(prediction, target)  # decided by the most probable leaf
    >>> {name: round(values[name], 3) for name in ("top1", "severity", "level_accuracy/class", "info_f1", "ap")}
    {'top1': 0.667, 'severity': 1.0, 'level_accuracy/class': 1.0, 'info_f1': 0.79, 'ap': 0.79}

    Nodes from elsewhere, and one metric by itself, one value per image:

    >>> measure([wren, moth, robin], target, t)["top1"] == values["top1"]
    True
    >>> hierarchical_distance(torch.tensor([wren, moth, robin]), target, t)
    tensor([0., 0., 1.])

    Batches of a training loop, on any number of processes:

    >>> stream = cw.metrics.collection(["top1", "severity", "ap"], t, decision="leaf")
    >>> for batch, labels in ((prediction[:2], target[:2]), (prediction[2:], target[2:])):
    ...     stream.update(batch, labels)
    >>> {name: round(value.item(), 3) for name, value in stream.compute().items()}
    {'ap': 0.79, 'severity': 1.0, 'top1': 0.667}
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cladewise.lazy import lazy_names
from cladewise.metrics.accuracy import leaf_answers, sibling, top_k
from cladewise.metrics.all_metrics import measure
from cladewise.metrics.answer_scores import RANKING_LENGTH, answer_columns, score_answer
from cladewise.metrics.distance import hd_at_k, hierarchical_distance, mistake_severity
from cladewise.metrics.hits import HitSums, hit_at_k, level_rank
from cladewise.metrics.information import (
    PathScores,
    cpb,
    depth_scores,
    information_scores,
    over_specific,
    specificity,
    under_specific,
)
from cladewise.metrics.label_counts import AVERAGES, LabelSums, label_scores
from cladewise.metrics.label_frequency import FREQUENCY_RECALLS, GroupRecall, images_per_label, recall_by_frequency
from cladewise.metrics.level_accuracy import full_path, level_correct, tice, weighted_level_accuracy
from cladewise.metrics.operating import OperatingCurve, operating_curve
from cladewise.metrics.ordered_preference import HOPS_AT, hops, hops_columns, hops_of_order
from cladewise.metrics.prediction_scores import PREDICTION_COLUMNS, score_prediction
from cladewise.metrics.reliability import ReliabilityCurve, ReliabilitySums, reliability_curves
from cladewise.metrics.resampling import curve_intervals, percent_name, risk_interval
from cladewise.metrics.score_profile import ScoreDrift, ScoreProfile
from cladewise.metrics.set_scores import score_set, set_columns, set_tips
from cladewise.metrics.set_sizes import SIZES, SizeSums, label_set_sizes
from cladewise.metrics.sums import Sums, total
from cladewise.metrics.truncation import truncate
from cladewise.ops import at_levels

if TYPE_CHECKING:
    from cladewise.metrics.streaming import (
        HierarchicalMetrics,
        HitAtK,
        LabelCounts,
        OperatingCurves,
        OrderedPreference,
        PredictionMetrics,
        Reliability,
        SetMetrics,
        SetSizes,
        TreeMetric,
        collection,
        scalar_metric,
    )

__all__ = [
    "AVERAGES",
    "FREQUENCY_RECALLS",
    "HOPS_AT",
    "PREDICTION_COLUMNS",
    "RANKING_LENGTH",
    "SIZES",
    "GroupRecall",
    "HierarchicalMetrics",
    "HitAtK",
    "HitSums",
    "LabelCounts",
    "LabelSums",
    "OperatingCurve",
    "OperatingCurves",
    "OrderedPreference",
    "PathScores",
    "PredictionMetrics",
    "Reliability",
    "ReliabilityCurve",
    "ReliabilitySums",
    "ScoreDrift",
    "ScoreProfile",
    "SetMetrics",
    "SetSizes",
    "SizeSums",
    "Sums",
    "TreeMetric",
    "answer_columns",
    "at_levels",
    "collection",
    "cpb",
    "curve_intervals",
    "depth_scores",
    "full_path",
    "hd_at_k",
    "hierarchical_distance",
    "hit_at_k",
    "hops",
    "hops_columns",
    "hops_of_order",
    "images_per_label",
    "information_scores",
    "label_scores",
    "label_set_sizes",
    "leaf_answers",
    "level_correct",
    "level_rank",
    "measure",
    "mistake_severity",
    "operating_curve",
    "over_specific",
    "percent_name",
    "recall_by_frequency",
    "reliability_curves",
    "risk_interval",
    "scalar_metric",
    "score_answer",
    "score_prediction",
    "score_set",
    "set_columns",
    "set_tips",
    "sibling",
    "specificity",
    "tice",
    "top_k",
    "total",
    "truncate",
    "under_specific",
    "weighted_level_accuracy",
]

_STREAMING = (
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
)
__getattr__, __dir__ = lazy_names(__name__, dict.fromkeys(_STREAMING, "cladewise.metrics.streaming"))
"""torchmetrics is imported only when one of its modules is used."""
