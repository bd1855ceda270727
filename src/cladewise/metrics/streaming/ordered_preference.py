"""HOPS, as a mean over every image seen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jaxtyping import Int
from torch import Tensor

from cladewise.metrics.hits import check_ks
from cladewise.metrics.ordered_preference import HOPS_AT, hops, hops_columns
from cladewise.metrics.streaming.column_means import ColumnMeans
from cladewise.metrics.streaming.tree_metric import Given
from cladewise.taxonomy import Taxonomy


class OrderedPreference(ColumnMeans):
    """Means of :func:`~cladewise.metrics.hops`, for all leaves and the best ``k``.

    Args:
        taxonomy: The label tree.
        ks: Values of ``k``, each at least 1.
        options: Those of :class:`TreeMetric` and :class:`torchmetrics.Metric`.

    Raises:
        InputError: A ``k`` is below 1.

    Example:
        >>> import torch
        >>> from cladewise.predictions import LeafSoftmax
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d", "e"), ("d", "f")])
        >>> metrics = OrderedPreference(t, ks=(3,))
        >>> metrics.update(LeafSoftmax(t, torch.tensor([[4.0, 1.0, 3.0, 2.0]])), torch.tensor([2]))
        >>> {name: round(value.item(), 4) for name, value in metrics.compute().items()}
        {'hops': 0.7917, 'hops@3': 0.8}
    """

    def __init__(self, taxonomy: Taxonomy, ks: Sequence[int] = HOPS_AT, **options: Any) -> None:
        check_ks(ks)
        self.ks = tuple(ks)
        super().__init__(taxonomy, **options)

    def own_settings(self) -> tuple[str, ...]:
        return (repr(self.ks),)

    def columns(self) -> tuple[str, ...]:
        return hops_columns(self.ks)

    def update(self, preds: Given, target: Int[Tensor, "*batch"]) -> None:
        self._add(hops(self.prediction_of(preds), self.nodes_of(target), self.ks))
