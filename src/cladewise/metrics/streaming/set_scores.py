"""The metrics of answers that are sets of labels, as means over every image seen."""

from __future__ import annotations

from jaxtyping import Int
from torch import Tensor

from cladewise.decisions import LabelSets
from cladewise.errors import InputError
from cladewise.metrics.set_scores import score_set, set_columns
from cladewise.metrics.streaming.column_means import ColumnMeans
from cladewise.metrics.streaming.tree_metric import Given, TreeMetric


class SetMetrics(ColumnMeans):
    """Means of :func:`~cladewise.metrics.score_set`: coverage, size and specificity of sets of labels.

    Args:
        taxonomy: The label tree.
        options: Those of :class:`TreeMetric` and :class:`torchmetrics.Metric`; ``decision`` answers with sets.

    Example:
        >>> import torch
        >>> from cladewise.taxonomy import Taxonomy
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
        >>> metrics = SetMetrics(t, only="set_coverage")
        >>> chosen = torch.tensor([[False, True, True, False, False], [False, False, False, False, True]])
        >>> metrics(LabelSets(chosen, torch.zeros(2, 5)), torch.tensor([2, 3])).item()
        0.5
    """

    def columns(self) -> tuple[str, ...]:
        return set_columns(self.taxonomy)

    def update(self, preds: Given, target: Int[Tensor, "*batch"]) -> None:
        self._add(score_set(sets_of(self, preds), self.nodes_of(target), self.taxonomy))


def sets_of(metric: TreeMetric, preds: Given) -> LabelSets:
    """The sets of labels that a metric is given or decides.

    Raises:
        InputError: The answer is not a set.
    """
    answer, _ = metric.answer_of(preds)
    if not isinstance(answer, LabelSets):
        advice = 'Pass decision="boundary", for example.'
        raise InputError(f"sets of labels for {type(metric).__name__}", type(answer).__name__, advice=advice)
    return answer
