"""Reliability curves and calibration errors over every image seen."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor

from cladewise.metrics.reliability import ReliabilityCurve, ReliabilitySums, check_bins
from cladewise.metrics.streaming.tree_metric import Given, TreeMetric
from cladewise.taxonomy import Taxonomy


class Reliability(TreeMetric):
    """:func:`~cladewise.metrics.reliability_curves` over every image seen, on all processes.

    Args:
        taxonomy: The label tree.
        bins: Number of bins.
        options: Those of :class:`TreeMetric` and :class:`torchmetrics.Metric`.

    Raises:
        InputError: There is no bin.

    Example:
        >>> from cladewise.predictions import LeafSoftmax
        >>> t = Taxonomy.from_paths([("a",), ("b",)], level_names=["kind"])
        >>> reliability = Reliability(t)
        >>> reliability.update(LeafSoftmax(t, torch.tensor([[0.75, 0.25]] * 2).log()), torch.tensor([1, 2]))
        >>> round(reliability.compute()["kind"].ece, 4)
        0.25
    """

    confidence: Tensor
    correct: Tensor
    count: Tensor

    def __init__(self, taxonomy: Taxonomy, bins: int = 15, **options: Any) -> None:
        check_bins(bins)
        self.bins = bins
        super().__init__(taxonomy, **options)
        for state in ("confidence", "correct", "count"):
            zeros = torch.zeros(taxonomy.num_levels, bins, dtype=torch.int64)
            self.add_state(state, zeros, dist_reduce_fx="sum")

    def own_settings(self) -> tuple[str, ...]:
        return (repr(self.bins),)

    def names(self) -> tuple[str, ...]:
        return tuple(f"{error}/{level}" for level in self.taxonomy.level_names for error in ("ece", "mce"))

    def update(self, preds: Given, target: Int[Tensor, "*batch"]) -> None:
        added = ReliabilitySums.of(self.prediction_of(preds), self.nodes_of(target), self.bins)
        self.confidence += added.confidence
        self.correct += added.correct
        self.count += added.count

    def values(self) -> dict[str, Tensor]:
        errors = {
            f"{name}/{level}": value
            for level, curve in self.everything().items()
            for name, value in (("ece", curve.ece), ("mce", curve.mce))
        }
        return {name: torch.tensor(value, dtype=torch.float64, device=self.device) for name, value in errors.items()}

    def everything(self) -> dict[str, ReliabilityCurve]:
        """The curve of every level, by the level's name."""
        return ReliabilitySums(self.confidence, self.correct, self.count).curves(self.taxonomy)
