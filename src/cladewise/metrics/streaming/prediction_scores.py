"""The metrics of a prediction that no decision enters, as means over every image seen."""

from __future__ import annotations

from jaxtyping import Int
from torch import Tensor

from cladewise.metrics.prediction_scores import PREDICTION_COLUMNS, score_prediction
from cladewise.metrics.streaming.column_means import ColumnMeans
from cladewise.metrics.streaming.tree_metric import Given


class PredictionMetrics(ColumnMeans):
    """Means of :func:`~cladewise.metrics.score_prediction`, which do not depend on ``decision``.

    Args:
        taxonomy: The label tree.
        options: Those of :class:`TreeMetric` and :class:`torchmetrics.Metric`.

    Example:
        >>> import torch
        >>> from cladewise.predictions import LeafSoftmax
        >>> from cladewise.taxonomy import Taxonomy
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d", "e"), ("d", "f")])
        >>> metrics = PredictionMetrics(t)
        >>> metrics.update(LeafSoftmax(t, torch.tensor([[0.4, 0.3, 0.2, 0.1]]).log()), torch.tensor([2]))
        >>> round(metrics.compute()["majority_f1"].item(), 4)
        0.6667
    """

    def columns(self) -> tuple[str, ...]:
        return PREDICTION_COLUMNS

    def update(self, preds: Given, target: Int[Tensor, "*batch"]) -> None:
        self._add(score_prediction(self.prediction_of(preds), self.nodes_of(target)))
