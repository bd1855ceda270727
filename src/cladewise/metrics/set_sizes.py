"""Sizes of predicted label sets."""

from __future__ import annotations

import dataclasses
import math

import torch
from jaxtyping import Float, Int
from torch import Tensor

from cladewise.decisions import LabelSets
from cladewise.metrics.sums import Sums, combined_by

SIZES = ("labels_min", "labels_max", "labels_mean", "labels_sd")
"""Names of the values of :func:`label_set_sizes`."""


def label_set_sizes(answer: LabelSets) -> dict[str, float]:
    r"""Minimum, maximum, mean and standard deviation of the number of labels predicted per image.

    The root does not count. The deviation is that of the images themselves,
    :math:`\sqrt{\overline{n^2} - \bar{n}^2}`.

    Returns:
        Each of :data:`SIZES`; NaN without an image.

    Example:
        >>> chosen = torch.tensor([[True, True, False], [False, True, True], [True, False, False]])
        >>> {name: round(x, 3) for name, x in label_set_sizes(LabelSets(chosen, torch.zeros(3, 3))).items()}
        {'labels_min': 0.0, 'labels_max': 2.0, 'labels_mean': 1.0, 'labels_sd': 0.816}

    References:
        Dhall et al., Hierarchical Image Classification using Entailment Cone Embeddings, CVPR Workshops 2020,
        arXiv:2004.03459, table 3.
    """
    return {name: value.item() for name, value in SizeSums.of(answer).values().items()}


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class SizeSums(Sums):
    """Extremes, sum and sum of squares of set sizes, and the number of images."""

    least: Int[Tensor, ""] = combined_by(torch.minimum)  # noqa: RUF009 -- it is a field
    largest: Int[Tensor, ""] = combined_by(torch.maximum)  # noqa: RUF009
    total: Int[Tensor, ""]
    squares: Int[Tensor, ""]
    images: Int[Tensor, ""]

    @classmethod
    def of(cls, answer: LabelSets) -> SizeSums:
        """The sums over a batch."""
        size = answer.chosen[..., 1:].sum(-1).flatten()
        none = not size.numel()
        return cls(
            least=size.new_tensor(torch.iinfo(torch.int64).max) if none else size.min(),
            largest=size.new_tensor(-1) if none else size.max(),
            total=size.sum(),
            squares=size.square().sum(),
            images=size.new_tensor(size.numel()),
        )

    def values(self) -> dict[str, Float[Tensor, ""]]:
        """Each of :data:`SIZES` under its name."""
        images, total, squares = int(self.images), int(self.total), int(self.squares)
        values = [math.nan] * len(SIZES)
        if images:  # in Python's integers: no product overflows or is rounded
            deviation = math.sqrt(images * squares - total**2) / images
            values = [float(self.least), float(self.largest), total / images, deviation]
        return {name: torch.tensor(x, dtype=torch.float64) for name, x in zip(SIZES, values, strict=True)}
