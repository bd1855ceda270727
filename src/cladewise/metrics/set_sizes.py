"""How many labels an image is said to have, where an answer is any set of them."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric

from cladewise.decisions import LabelSets

SIZES = ("labels_min", "labels_max", "labels_mean", "labels_sd")
"""What :class:`SetSizes` computes."""


class SetSizes(Metric):
    r"""Least, largest and mean number of labels that an image is said to have, and its standard deviation.

    The root is no label. The deviation is that of the images seen, :math:`\sqrt{\overline{n^2} - \bar{n}^2}`. Whole
    numbers alone are summed, so neither the batches nor the number of processes makes a difference.

    Args:
        options: Options of :class:`torchmetrics.Metric`.

    Example:
        >>> sizes = SetSizes()
        >>> chosen = torch.tensor([[True, True, False], [False, True, True], [True, False, False]])
        >>> sizes.update(LabelSets(chosen, torch.zeros(3, 3)))
        >>> {name: round(value.item(), 3) for name, value in sizes.compute().items()}
        {'labels_min': 0.0, 'labels_max': 2.0, 'labels_mean': 1.0, 'labels_sd': 0.816}

    References:
        Dhall et al., Hierarchical Image Classification using Entailment Cone Embeddings, CVPR Workshops 2020,
        arXiv:2004.03459, table 3.
    """

    is_differentiable = False
    full_state_update = False

    least: Tensor
    largest: Tensor
    total: Tensor
    squares: Tensor
    images: Tensor

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.add_state("least", torch.tensor(torch.iinfo(torch.int64).max), dist_reduce_fx="min")
        self.add_state("largest", torch.tensor(-1), dist_reduce_fx="max")
        for state in ("total", "squares", "images"):
            self.add_state(state, torch.tensor(0), dist_reduce_fx="sum")

    def update(self, answer: LabelSets) -> None:
        """Add a batch."""
        size = answer.chosen[..., 1:].sum(-1).flatten()
        if size.numel():
            self.least = torch.minimum(self.least, size.min())
            self.largest = torch.maximum(self.largest, size.max())
        self.total += size.sum()
        self.squares += size.square().sum()
        self.images += size.numel()

    def compute(self) -> dict[str, Tensor]:
        """Each of :data:`SIZES` under its name; NaN without an image."""
        images, total, squares = int(self.images), int(self.total), int(self.squares)
        values = [math.nan] * len(SIZES)
        if images:  # of Python's whole numbers, which no product is too large for, nor rounded
            deviation = math.sqrt(images * squares - total**2) / images
            values = [float(self.least), float(self.largest), total / images, deviation]
        return {name: torch.tensor(x, dtype=torch.float64) for name, x in zip(SIZES, values, strict=True)}
