"""Streaming metrics by their names: one of them, or a torchmetrics collection of several."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torchmetrics import MetricCollection

from cladewise.errors import InputError
from cladewise.metrics.label_counts import AVERAGES
from cladewise.metrics.label_frequency import FREQUENCY_RECALLS
from cladewise.metrics.ordered_preference import HOPS_AT
from cladewise.metrics.prediction_scores import PREDICTION_COLUMNS
from cladewise.metrics.set_sizes import SIZES
from cladewise.metrics.streaming.answer_scores import HierarchicalMetrics
from cladewise.metrics.streaming.hits import HitAtK
from cladewise.metrics.streaming.label_counts import LabelCounts
from cladewise.metrics.streaming.operating import SHARE, OperatingCurves
from cladewise.metrics.streaming.ordered_preference import OrderedPreference
from cladewise.metrics.streaming.prediction_scores import PredictionMetrics
from cladewise.metrics.streaming.reliability import Reliability
from cladewise.metrics.streaming.set_scores import SetMetrics
from cladewise.metrics.streaming.set_sizes import SetSizes
from cladewise.metrics.streaming.tree_metric import TreeMetric
from cladewise.records.metric_names import metric_text
from cladewise.taxonomy import Taxonomy


def scalar_metric(name: str, taxonomy: Taxonomy, **options: Any) -> TreeMetric:
    """The streaming metric that computes one number, by the metric's name.

    Its value over all batches and processes is that of an evaluation and of :func:`~cladewise.metrics.measure`. It can
    be logged, tracked and plotted like any torchmetrics metric, and knows whether more is better.

    Args:
        name: A metric of the documentation, such as ``"severity"``, ``"level_accuracy/genus"``, ``"r@99"`` or
            ``"ece/species"``.
        taxonomy: The label tree.
        options: Those of :class:`~cladewise.metrics.TreeMetric` and :class:`torchmetrics.Metric`.

    Raises:
        InputError: There is no such metric or level.

    Example:
        >>> import torch
        >>> from cladewise.predictions import LeafSoftmax
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)], level_names=["genus", "species"])
        >>> metric = scalar_metric("level_accuracy/genus", t, predict=lambda logits: LeafSoftmax(t, logits))
        >>> metric.update(torch.tensor([[1.0, 2.0, 0.0], [0.0, 0.0, 1.0]]), torch.tensor([2, 2]))
        >>> metric.compute().item(), metric.higher_is_better
        (0.5, True)
    """
    kind, own = _kind_of(name)
    return kind(taxonomy, only=name, **own, **options)


def collection(
    names: Sequence[str],
    taxonomy: Taxonomy,
    *,
    prefix: str | None = None,
    postfix: str | None = None,
    compute_groups: bool = True,
    **options: Any,
) -> MetricCollection:
    """A :class:`torchmetrics.MetricCollection` of metrics by their names.

    Metrics that are computed from the same sums share them and are updated once. A name of a level may contain a dot,
    which a key of a collection cannot; it is written ``_`` there.

    Args:
        names: Metrics of the documentation, as for :func:`scalar_metric`.
        taxonomy: The label tree.
        prefix: Text before each name, such as ``"val_"``.
        postfix: Text after each name.
        compute_groups: Whether metrics may share their sums.
        options: Those of :class:`~cladewise.metrics.TreeMetric` and :class:`torchmetrics.Metric`.

    Raises:
        InputError: A name is not that of a metric or a level, or occurs twice.

    Example:
        >>> import torch
        >>> from cladewise.predictions import LeafSoftmax
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
        >>> metrics = collection(["top1", "severity"], t, prefix="val_", predict=lambda logits: LeafSoftmax(t, logits))
        >>> metrics.update(torch.eye(3), torch.tensor([2, 2, 4]))
        >>> {name: value.item() for name, value in metrics.compute().items()}
        {'val_severity': 1.0, 'val_top1': 0.6666666666666666}
    """
    keys = [name.replace(".", "_") for name in names]
    if len(set(keys)) < len(keys):
        raise InputError("each metric once", ", ".join(sorted({key for key in keys if keys.count(key) > 1})))
    metrics: dict[str, Any] = {
        key: scalar_metric(name, taxonomy, **options) for key, name in zip(keys, names, strict=True)
    }
    return MetricCollection(metrics, prefix=prefix, postfix=postfix, compute_groups=compute_groups)


def _kind_of(name: str) -> tuple[type[TreeMetric], dict[str, Any]]:
    """The class that computes a metric, and the options with which it does."""
    metric_text(name)  # says which metrics there are
    whole = name.partition("/")[0]
    if whole.startswith("hit@"):
        if not whole[4:].isdecimal():
            raise InputError("hit@<k> with a whole number", repr(name))
        return HitAtK, {"ks": sorted({1, 3, 5, int(whole[4:])})}
    if whole in FREQUENCY_RECALLS:
        expected = "a metric of answers and labels alone"
        raise InputError(expected, f"{name!r}, which needs the training images", advice="Evaluate a run.")
    if whole == "hops" or whole.startswith("hops@"):
        return OrderedPreference, {"ks": sorted({*HOPS_AT, int(whole[5:])}) if whole[5:] else HOPS_AT}
    if whole in AVERAGES:
        return LabelCounts, {}
    if whole in ("ece", "mce"):
        return Reliability, {}
    if name in PREDICTION_COLUMNS:
        return PredictionMetrics, {}
    if name in ("haurc", "haurc_threshold"):
        return OperatingCurves, {"measure": "specificity", "climbing": name == "haurc"}
    if name in ("depth_ap", "depth_ac"):
        return OperatingCurves, {"measure": "depth"}
    if name in ("ap", "ac") or SHARE.fullmatch(name):
        return OperatingCurves, {}
    if name in SIZES:
        return SetSizes, {}
    return (SetMetrics if whole.startswith("set_") else HierarchicalMetrics), {}
