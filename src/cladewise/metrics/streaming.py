"""The metrics as a torchmetrics module, for training loops and several processes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor
from torchmetrics import Metric

from cladewise.decisions import Answer
from cladewise.metrics.answer_scores import answer_columns, score_answer
from cladewise.metrics.level_accuracy import weighted_level_accuracy
from cladewise.taxonomy import Taxonomy

GRID = float(1 << 30)
"""Parts of 1 that values are rounded to, finer than single precision tells apart."""


class HierarchicalMetrics(Metric):
    """Means of all metrics over every image seen, on all processes.

    Only a sum and a number of images is kept for each metric. What is summed are whole multiples of 2⁻³⁰, exact in
    double precision for sums up to eight million. So the value depends neither on the size and order of the batches nor
    on how many images fell to which process, to the last bit; no image is counted twice or dropped.

    Args:
        taxonomy: The label tree.
        options: Options of :class:`torchmetrics.Metric`.

    Example:
        >>> from cladewise.decisions import Nodes
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
        >>> metrics = HierarchicalMetrics(t)
        >>> metrics.update(Nodes(torch.tensor([2, 4]), torch.zeros(2)), torch.tensor([[2], [4]]), torch.tensor([2, 2]))
        >>> values = metrics.compute()
        >>> values["top1"].item(), values["severity"].item(), values["level_accuracy"].item()
        (0.5, 2.0, 0.5)
    """

    is_differentiable = False
    full_state_update = False

    total: Tensor
    count: Tensor

    def __init__(self, taxonomy: Taxonomy, **options: Any) -> None:
        super().__init__(**options)
        self.taxonomy = taxonomy
        self.names = answer_columns(taxonomy)
        self.add_state("total", torch.zeros(len(self.names), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("count", torch.zeros(len(self.names), dtype=torch.int64), dist_reduce_fx="sum")

    def _apply(self, fn: Callable[[Tensor], Tensor], exclude_state: Sequence[str] = ()) -> HierarchicalMetrics:
        """Move the sums along with the module they are part of, but keep their precision.

        The base class would follow ``.to(torch.bfloat16)``, in which no count survives beyond 256.
        """
        super()._apply(fn, exclude_state=(*exclude_state, "total", "count"))
        self.total, self.count = self.total.to(self.device), self.count.to(self.device)
        self._defaults.update(total=torch.zeros_like(self.total), count=torch.zeros_like(self.count))
        self._computed = None
        return self

    def update(self, answer: Answer, ranking: Int[Tensor, "*batch rank"], target: Int[Tensor, "*batch"]) -> None:
        """Add a batch; the arguments are those of :func:`score_answer`."""
        columns = score_answer(answer, ranking, target, self.taxonomy)
        values = torch.stack([column.flatten() for column in columns.values()]).double()
        self.total += (values * GRID).round().nansum(-1) / GRID
        self.count += values.isfinite().sum(-1)

    def compute(self) -> dict[str, Tensor]:
        """Mean of every metric over the images that count in it, NaN where there is none.

        Then ``level_accuracy`` and ``weighted_level_accuracy``, the means over the levels.
        """
        means = self.total / self.count
        values = dict(zip(self.names, means.unbind(), strict=True))
        levels = torch.stack([values[f"level_accuracy/{name}"] for name in self.taxonomy.level_names])
        weighted = weighted_level_accuracy(levels, self.taxonomy)
        return {**values, "level_accuracy": levels.nanmean(), "weighted_level_accuracy": weighted}
