"""Calibration per level: whether answers given with probability 0.8 are right in eight cases of ten."""

from __future__ import annotations

import dataclasses
import math

import torch
from jaxtyping import Float, Int
from torch import Tensor

from cladewise.errors import InputError
from cladewise.metrics.fixed_point import mean_of_units, to_units
from cladewise.metrics.sums import Sums
from cladewise.ops import at_levels, speaks
from cladewise.predictions import Prediction
from cladewise.taxonomy import Taxonomy


class ReliabilityCurve:
    """Mean confidence and accuracy in bins of equal width; NaN in empty bins."""

    # not a dataclass: torchmetrics takes those apart

    def __init__(
        self, confidence: Float[Tensor, " bin"], accuracy: Float[Tensor, " bin"], count: Int[Tensor, " bin"]
    ) -> None:
        self.confidence, self.accuracy, self.count = confidence, accuracy, count

    @property
    def ece(self) -> float:
        r"""Expected calibration error, :math:`\sum_b \frac{n_b}{N} |\mathrm{acc}_b - \mathrm{conf}_b|`."""
        return ((self.gap.nan_to_num(0.0) * self.count).sum() / self.count.sum()).item()

    @property
    def mce(self) -> float:
        r"""Maximum calibration error, :math:`\max_b |\mathrm{acc}_b - \mathrm{conf}_b|`."""
        return self.gap.nan_to_num(0.0).max().item() if bool(self.count.any()) else float("nan")

    @property
    def gap(self) -> Float[Tensor, " bin"]:
        """Absolute difference between accuracy and confidence in each bin."""
        return (self.accuracy - self.confidence).abs()

    def to_dict(self) -> dict[str, list[float | None]]:
        """Lists by name, as stored in an evaluation; ``None`` for empty bins."""
        return {n: [x if math.isfinite(x) else None for x in values.tolist()] for n, values in vars(self).items()}


def reliability_curves(
    prediction: Prediction, target: Int[Tensor, "*batch"], bins: int = 15
) -> dict[str, ReliabilityCurve]:
    r"""Confidence against accuracy at every level, in bins of equal width.

    At each extended level the most probable node is the answer, with its own probability as confidence
    (:meth:`~cladewise.predictions.Prediction.level_log_prob`). A label does not count at levels finer than itself. The
    bins are :math:`(b / n, (b + 1) / n]`; the first includes 0.

    Args:
        prediction: Of any kind.
        target: Node of each label; internal nodes allowed.
        bins: Number of bins.

    Returns:
        The curve of every level, by the level's name.

    Raises:
        InputError: There is no bin.

    Example:
        >>> from cladewise.predictions import LeafSoftmax
        >>> t = Taxonomy.from_paths([("a",), ("b",)], level_names=["kind"])
        >>> prediction = LeafSoftmax(t, torch.tensor([[0.75, 0.25]] * 2).log())
        >>> round(reliability_curves(prediction, torch.tensor([1, 2]))["kind"].ece, 4)
        0.25

    References:
        Guo et al., On Calibration of Modern Neural Networks, ICML 2017, arXiv:1706.04599. Fifteen bins, as there.
    """
    return ReliabilitySums.of(prediction, target, check_bins(bins)).curves(prediction.taxonomy)


@dataclasses.dataclass(frozen=True, eq=False)
class ReliabilitySums(Sums):
    """Confidence in fixed-point units, right answers and images in each bin of each level."""

    confidence: Int[Tensor, "level bin"]
    correct: Int[Tensor, "level bin"]
    count: Int[Tensor, "level bin"]

    @classmethod
    def of(cls, prediction: Prediction, target: Int[Tensor, "*batch"], bins: int) -> ReliabilitySums:
        """The sums over a batch."""
        taxonomy = prediction.taxonomy
        wanted, counted = at_levels(target, taxonomy), speaks(target, taxonomy)
        sums = torch.zeros(3, taxonomy.num_levels, bins, dtype=torch.int64, device=target.device)
        for k in range(taxonomy.num_levels):
            nodes, log_prob = prediction.level_log_prob(k + 1)
            here = counted[..., k]
            best, place = log_prob.max(-1)
            confidence = best[here].double().exp().clamp(0.0, 1.0)
            right = (nodes[place] == wanted[..., k])[here].long()
            in_bin = ((confidence * bins).ceil().long() - 1).clamp_min(0)
            for row, values in zip(sums, (to_units(confidence), right, torch.ones_like(right)), strict=True):
                row[k].index_add_(0, in_bin, values)
        return cls(*sums.unbind())

    def curves(self, taxonomy: Taxonomy) -> dict[str, ReliabilityCurve]:
        """The curve of every level, by the level's name."""
        confidence = mean_of_units(self.confidence, self.count)
        accuracy = self.correct.double() / self.count
        rows = zip(confidence, accuracy, self.count, strict=True)
        return dict(zip(taxonomy.level_names, (ReliabilityCurve(*row) for row in rows), strict=True))


def check_bins(bins: int) -> int:
    """The number of bins, if there is one.

    Raises:
        InputError: There is none.
    """
    if bins < 1:
        raise InputError("at least one bin", bins)
    return bins
