"""Sizes of answers that are sets of labels, over every image seen."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor

from cladewise.metrics.set_sizes import SIZES, SizeSums
from cladewise.metrics.streaming.set_scores import sets_of
from cladewise.metrics.streaming.tree_metric import Given, TreeMetric
from cladewise.taxonomy import Taxonomy


class SetSizes(TreeMetric):
    """:func:`~cladewise.metrics.label_set_sizes` over every image seen, on all processes.

    Only integers are summed, so neither the batches nor the number of processes makes a difference.

    Args:
        taxonomy: The label tree.
        options: Those of :class:`TreeMetric` and :class:`torchmetrics.Metric`.

    Example:
        >>> from cladewise.decisions import LabelSets
        >>> sizes = SetSizes(Taxonomy.from_paths([("a",), ("b",)]))
        >>> chosen = torch.tensor([[True, True, False], [False, True, True], [True, False, False]])
        >>> sizes.update(LabelSets(chosen, torch.zeros(3, 3)), torch.tensor([1, 2, 1]))
        >>> {name: round(value.item(), 3) for name, value in sizes.compute().items()}
        {'labels_min': 0.0, 'labels_max': 2.0, 'labels_mean': 1.0, 'labels_sd': 0.816}
    """

    least: Tensor
    largest: Tensor
    total: Tensor
    squares: Tensor
    images: Tensor

    def __init__(self, taxonomy: Taxonomy, **options: Any) -> None:
        super().__init__(taxonomy, **options)
        self.add_state("least", torch.tensor(torch.iinfo(torch.int64).max), dist_reduce_fx="min")
        self.add_state("largest", torch.tensor(-1), dist_reduce_fx="max")
        for state in ("total", "squares", "images"):
            self.add_state(state, torch.tensor(0), dist_reduce_fx="sum")

    def names(self) -> tuple[str, ...]:
        return SIZES

    def update(self, preds: Given, target: Int[Tensor, "*batch"]) -> None:
        added = SizeSums.of(sets_of(self, preds))
        self.least, self.largest = torch.minimum(self.least, added.least), torch.maximum(self.largest, added.largest)
        self.total += added.total
        self.squares += added.squares
        self.images += added.images

    def values(self) -> dict[str, Tensor]:
        """Each of :data:`~cladewise.metrics.SIZES` under its name; NaN without an image."""
        return SizeSums(
            least=self.least, largest=self.largest, total=self.total, squares=self.squares, images=self.images
        ).values()
