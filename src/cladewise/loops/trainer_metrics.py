"""Metrics of a Hugging Face Trainer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from cladewise.errors import InputError

if TYPE_CHECKING:
    from torchmetrics import MetricCollection

CELLS_AT_ONCE = 1 << 24
"""Cells of images × nodes that are measured at a time."""


class TrainerMetrics:
    """The ``compute_metrics`` of a Hugging Face ``Trainer``; see :meth:`Criterion.compute_metrics`.

    By default the trainer keeps the logits of the whole evaluation in memory and passes them at once; with
    ``batch_eval_metrics=True`` it passes every batch. The values are the same, to the last bit.

    Args:
        metrics: The collection to update.
        num_nodes: Number of nodes of the tree.
    """

    def __init__(self, metrics: MetricCollection, num_nodes: int) -> None:
        self.metrics, self.rows = metrics, max(1, CELLS_AT_ONCE // num_nodes)

    def __call__(self, evaluated: Any, compute_result: bool = True) -> dict[str, float]:
        """Add a batch, or all images, and compute.

        Args:
            evaluated: The trainer's ``EvalPrediction``: ``predictions``, which are logits or a tuple that begins with
                them, and ``label_ids``.
            compute_result: Whether these are the last images.

        Returns:
            The value of each metric, without the trainer's prefix; empty until the last images.

        Raises:
            InputError: There are no labels.
        """
        outputs, target = evaluated.predictions, evaluated.label_ids
        if target is None:
            raise InputError("images with labels", "none", advice="Name their column in the trainer's label_names.")
        logits, labels = _tensor(outputs[0] if isinstance(outputs, tuple) else outputs), _tensor(target)
        for part, nodes in zip(logits.split(self.rows), labels.split(self.rows), strict=True):
            self.metrics.update(part, nodes)
        if not compute_result:
            return {}
        values = {name: float(value) for name, value in self.metrics.compute().items()}
        self.metrics.reset()
        return values


def _tensor(values: Any) -> Tensor:
    return values.detach() if isinstance(values, Tensor) else torch.as_tensor(values)
