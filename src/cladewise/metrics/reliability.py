"""Calibration at each level: whether what is given a probability of 0.8 is right in eight cases of ten."""

from __future__ import annotations

import math
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torchmetrics import Metric

from cladewise.errors import InputError
from cladewise.metrics.fixed_point import mean_of_units, to_units
from cladewise.ops import at_levels, speaks
from cladewise.predictions import Prediction
from cladewise.taxonomy import Taxonomy


class ReliabilityCurve:
    """Mean confidence and accuracy in bins of equal width; NaN in a bin without images."""

    # no dataclass: torchmetrics takes those apart

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
        """Distance of accuracy and confidence in each bin."""
        return (self.accuracy - self.confidence).abs()

    def to_dict(self) -> dict[str, list[float | None]]:
        """Lists by name, as an evaluation's JSON has them; ``None`` in an empty bin."""
        return {n: [x if math.isfinite(x) else None for x in values.tolist()] for n, values in vars(self).items()}


class Reliability(Metric):
    r"""Confidence against accuracy at every level, over every image seen, on all processes.

    At each extended level the most probable node is answered, with its own probability as confidence:
    :meth:`~cladewise.predictions.Prediction.level_log_prob`. A label is left out at levels it does not speak of. The
    bins are :math:`(b / n, (b + 1) / n]`, the first with 0.

    Args:
        taxonomy: The label tree.
        bins: Number of bins.
        options: Options of :class:`torchmetrics.Metric`.

    Raises:
        InputError: There is no bin.

    Example:
        >>> from cladewise.predictions import LeafSoftmax
        >>> t = Taxonomy.from_paths([("a",), ("b",)], level_names=["kind"])
        >>> reliability = Reliability(t)
        >>> reliability.update(LeafSoftmax(t, torch.tensor([[0.75, 0.25]] * 2).log()), torch.tensor([1, 2]))
        >>> round(reliability.compute()["kind"].ece, 4)
        0.25

    References:
        Guo et al., On Calibration of Modern Neural Networks, ICML 2017, arXiv:1706.04599. Fifteen bins, as there.
    """

    is_differentiable = False
    full_state_update = False

    confidence: Tensor
    correct: Tensor
    count: Tensor

    def __init__(self, taxonomy: Taxonomy, bins: int = 15, **options: Any) -> None:
        if bins < 1:
            raise InputError("at least one bin", bins)
        super().__init__(**options)
        self.taxonomy, self.bins = taxonomy, bins
        for state in ("confidence", "correct", "count"):
            zeros = torch.zeros(taxonomy.num_levels, bins, dtype=torch.int64)
            self.add_state(state, zeros, dist_reduce_fx="sum")

    def update(self, prediction: Prediction, target: Int[Tensor, "*batch"]) -> None:
        """Add a batch: what is predicted, and the node of each label."""
        wanted, counted = at_levels(target, self.taxonomy), speaks(target, self.taxonomy)
        for k in range(self.taxonomy.num_levels):
            nodes, log_prob = prediction.level_log_prob(k + 1)
            here = counted[..., k]
            best, place = log_prob.max(-1)
            confidence = best[here].double().exp().clamp(0.0, 1.0)
            right = (nodes[place] == wanted[..., k])[here].long()
            in_bin = ((confidence * self.bins).ceil().long() - 1).clamp_min(0)
            self.confidence[k].index_add_(0, in_bin, to_units(confidence))
            self.correct[k].index_add_(0, in_bin, right)
            self.count[k].index_add_(0, in_bin, torch.ones_like(right))

    def compute(self) -> dict[str, ReliabilityCurve]:
        """The curve of every level, by the level's name."""
        confidence = mean_of_units(self.confidence, self.count)
        accuracy = self.correct.double() / self.count
        rows = zip(confidence, accuracy, self.count, strict=True)
        curves = (ReliabilityCurve(*row) for row in rows)
        return dict(zip(self.taxonomy.level_names, curves, strict=True))
