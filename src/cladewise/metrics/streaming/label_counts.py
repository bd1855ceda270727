"""Numbers of right and wrong answers per label, over every image seen."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from cladewise.metrics.label_counts import AVERAGES, LabelSums, label_bounds, label_nodes
from cladewise.metrics.streaming.tree_metric import Given, TreeMetric
from cladewise.taxonomy import Taxonomy


class LabelCounts(TreeMetric):
    """:func:`~cladewise.metrics.label_scores` over every image seen, on all processes.

    Args:
        taxonomy: The label tree.
        options: Those of :class:`TreeMetric` and :class:`torchmetrics.Metric`.

    Example:
        >>> from cladewise.decisions import Nodes
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)], level_names=["genus", "species"])
        >>> counts = LabelCounts(t)
        >>> counts.update(Nodes(torch.tensor([2, 3]), torch.zeros(2)), torch.tensor([2, 2]))
        >>> values = counts.compute()
        >>> values["micro_f1"].item(), values["micro_f1/species"].item()
        (0.75, 0.5)
    """

    hit: Tensor
    said: Tensor
    true: Tensor

    def __init__(self, taxonomy: Taxonomy, **options: Any) -> None:
        super().__init__(taxonomy, **options)
        for state in ("hit", "said", "true"):
            self.add_state(state, torch.zeros(len(self.nodes), dtype=torch.int64), dist_reduce_fx="sum")

    @property
    def nodes(self) -> Int[np.ndarray, " label"]:
        """Node of every label, one level after another."""
        return label_nodes(self.taxonomy)

    @property
    def bounds(self) -> tuple[int, ...]:
        """Position of each level's first label, and the number of labels."""
        return label_bounds(self.taxonomy)

    @property
    def true_positive(self) -> Int[Tensor, " label"]:
        """Images that have the label and for which it was predicted."""
        return self.hit

    @property
    def false_positive(self) -> Int[Tensor, " label"]:
        """Images for which the label was predicted and that do not have it."""
        return self.said - self.hit

    @property
    def false_negative(self) -> Int[Tensor, " label"]:
        """Images that have the label and for which it was not predicted."""
        return self.true - self.hit

    def names(self) -> tuple[str, ...]:
        return (*AVERAGES, *(f"{name}/{level}" for level in self.taxonomy.level_names for name in AVERAGES))

    def update(self, preds: Given, target: Int[Tensor, "*batch"]) -> None:
        added = LabelSums.of(self.answer_of(preds)[0], self.nodes_of(target), self.taxonomy)
        self.hit += added.hit
        self.said += added.said
        self.true += added.true

    def values(self) -> dict[str, Tensor]:
        """Each of :data:`AVERAGES` over all labels under its name, and per level under ``name/<level>``."""
        return LabelSums(self.hit, self.said, self.true).values(self.taxonomy)
