"""The metrics of a decision, as means over every image seen."""

from __future__ import annotations

import torch
from jaxtyping import Int
from torch import Tensor

from cladewise.decisions import Answer, LabelSets, Nodes
from cladewise.errors import InputError
from cladewise.metrics.answer_scores import RANKING_LENGTH, answer_columns, score_answer
from cladewise.metrics.level_accuracy import weighted_level_accuracy
from cladewise.metrics.streaming.column_means import ColumnMeans
from cladewise.metrics.streaming.tree_metric import Given

RANKED = ("top5", "hd@5", "hd@20")
"""Columns of :func:`score_answer` that need a ranking of nodes."""


class HierarchicalMetrics(ColumnMeans):
    """Means of :func:`~cladewise.metrics.score_answer`: the metrics of a decision, over every image seen.

    A prediction or logits are decided and ranked by ``decision``. Answers and nodes come without a ranking, so
    ``top5``, ``hd@5`` and ``hd@20`` do not count them; :meth:`add` takes a ranking.

    Args:
        taxonomy: The label tree.
        options: Those of :class:`TreeMetric` and :class:`torchmetrics.Metric`.

    Example:
        >>> from cladewise.predictions import LeafSoftmax
        >>> from cladewise.taxonomy import Taxonomy
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
        >>> metrics = HierarchicalMetrics(t)
        >>> metrics.update(LeafSoftmax(t, torch.eye(3)[[0, 2]]), torch.tensor([2, 2]))
        >>> values = metrics.compute()
        >>> values["top1"].item(), values["severity"].item(), values["level_accuracy"].item()
        (0.5, 2.0, 0.5)
        >>> severity = HierarchicalMetrics(t, only="severity")
        >>> severity(torch.tensor([2, 4]), torch.tensor([2, 2])), severity.higher_is_better
        (tensor(2., dtype=torch.float64), False)
    """

    def columns(self) -> tuple[str, ...]:
        return answer_columns(self.taxonomy)

    def names(self) -> tuple[str, ...]:
        return (*self.columns(), "level_accuracy", "weighted_level_accuracy")

    def update(self, preds: Given, target: Int[Tensor, "*batch"]) -> None:
        answer, prediction = self.answer_of(preds)
        if isinstance(answer, LabelSets):
            raise InputError(
                "an answer of one node for HierarchicalMetrics", "sets", advice="Use SetMetrics for these."
            )
        if prediction is not None:
            ranking = self.decision.ranking(prediction, RANKING_LENGTH, answer)
            self._add(score_answer(answer, ranking, self.nodes_of(target), self.taxonomy))
            return
        node = answer.node if isinstance(answer, Nodes) else answer.node[..., -1]
        columns = score_answer(answer, node[..., None], self.nodes_of(target), self.taxonomy)
        self._add({name: torch.full_like(x, torch.nan) if name in RANKED else x for name, x in columns.items()})

    def add(self, answer: Answer, ranking: Int[Tensor, "*batch rank"], target: Int[Tensor, "*batch"]) -> None:
        """Add a batch with a ranking of one's own; the arguments are those of :func:`score_answer`."""
        self.added()
        self._add(score_answer(answer, ranking, target, self.taxonomy))

    def values(self) -> dict[str, Tensor]:
        """Mean of every metric over its non-NaN values, NaN if there are none.

        Also ``level_accuracy`` and ``weighted_level_accuracy``, the means over the levels.
        """
        values = super().values()
        levels = torch.stack([values[f"level_accuracy/{name}"] for name in self.taxonomy.level_names])
        weighted = weighted_level_accuracy(levels, self.taxonomy)
        return {**values, "level_accuracy": levels.nanmean(), "weighted_level_accuracy": weighted}
