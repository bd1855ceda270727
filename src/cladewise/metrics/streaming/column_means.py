"""Means of values per image over every image seen, on all processes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from cladewise.metrics.streaming.tree_metric import TreeMetric
from cladewise.taxonomy import Taxonomy

GRID = float(1 << 30)
"""Fractions of 1 that values are rounded to, finer than single precision resolves."""


class ColumnMeans(TreeMetric):
    """Means of one value per image and metric over every image seen, on all processes.

    Only a sum and a number of images are kept for each metric. Values are summed as whole multiples of 2⁻³⁰, which is
    exact in double precision for sums up to eight million. So the result depends neither on the size and order of the
    batches nor on which process saw which images, to the last bit; no image is counted twice or dropped.
    """

    total: Tensor
    count: Tensor

    def __init__(self, taxonomy: Taxonomy, **options: Any) -> None:
        super().__init__(taxonomy, **options)
        width = len(self.columns())
        self.add_state("total", torch.zeros(width, dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("count", torch.zeros(width, dtype=torch.int64), dist_reduce_fx="sum")

    def columns(self) -> tuple[str, ...]:
        """Names of the values per image."""
        raise NotImplementedError

    def names(self) -> tuple[str, ...]:
        return self.columns()

    def _apply(self, fn: Callable[[Tensor], Tensor], exclude_state: Sequence[str] = ()) -> ColumnMeans:
        """Move the sums along with the module they are part of, but keep their precision.

        The base class would follow ``.to(torch.bfloat16)``, in which no count survives beyond 256.
        """
        super()._apply(fn, exclude_state=(*exclude_state, "total", "count"))
        self.total, self.count = self.total.to(self.device), self.count.to(self.device)
        self._defaults.update(total=torch.zeros_like(self.total), count=torch.zeros_like(self.count))
        self._computed = None
        return self

    def _add(self, columns: dict[str, Float[Tensor, "*batch"]]) -> None:
        values = torch.stack([column.flatten() for column in columns.values()]).double()
        self.total += (values * GRID).round().nansum(-1) / GRID
        self.count += values.isfinite().sum(-1)

    def values(self) -> dict[str, Tensor]:
        """Mean of every metric over its non-NaN values, NaN if there are none."""
        return dict(zip(self.columns(), (self.total / self.count).unbind(), strict=True))
