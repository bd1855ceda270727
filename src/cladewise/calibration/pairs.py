"""Probabilities of nodes and whether the label lies there, counted in narrow bins."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor

from cladewise.calibration.calibrator import By, learnt_alone, parts, warn_if_few
from cladewise.ops import is_ancestor, log_odds, speaks, tree_index
from cladewise.predictions import Prediction

BINS = 1 << 12
LOWEST, HIGHEST = -24.0, 16.2
"""Range of log-odds that is divided into the bins; probabilities beyond it are counted in the outermost bins."""


@dataclasses.dataclass(frozen=True, eq=False)
class ProbabilityCounts:
    """Pairs of a node's probability and whether the label is at or under the node, in bins of equal log-odds.

    A pair is any image and any node of a level about which the label says something. A bin is 1% of the odds wide, so
    that nothing is lost, and memory does not grow with images or nodes.
    """

    count: Float[np.ndarray, "level bin"]
    right: Float[np.ndarray, "level bin"]
    total: Float[np.ndarray, "level bin"]
    """Sum of the probabilities."""

    @classmethod
    def of(cls, prediction: Prediction, target: Int[Tensor, " image"]) -> ProbabilityCounts:
        """Count the pairs of all images, level by level."""
        prediction, taxonomy = prediction.settled(), prediction.taxonomy
        sums = np.zeros((3, taxonomy.num_levels, BINS))
        level = tree_index(taxonomy, prediction.device).level
        for part, labels in parts(prediction, target):
            counted = speaks(labels, taxonomy)
            for k in range(taxonomy.num_levels):
                nodes = (level == k + 1).nonzero().squeeze(1)
                log_prob = part.log_prob[counted[:, k]][:, nodes]
                right = is_ancestor(nodes[None], labels[counted[:, k], None], taxonomy)
                place = _bins(log_prob).flatten()
                for row, weights in zip(sums, (None, right, log_prob.exp()), strict=True):
                    found = None if weights is None else weights.double().flatten()
                    row[k] += torch.bincount(place, found, minlength=BINS).cpu().numpy()
        return cls(*sums)

    @classmethod
    def by(cls, prediction: Prediction, target: Int[Tensor, " image"], by: By, what: str) -> ProbabilityCounts:
        """The counts of each level, or of all together; a level with few labels has those of all levels."""
        warn_if_few(len(target))
        found = cls.of(prediction, target)
        pooled = cls(*(values.sum(0, keepdims=True) for values in (found.count, found.right, found.total)))
        if by == "all":
            return pooled
        alone = learnt_alone(target, prediction.taxonomy, what)[:, None]
        return cls(*(np.where(alone, getattr(found, n), getattr(pooled, n)) for n in ("count", "right", "total")))

    def level(self, row: int) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Mean probability, share of right pairs and number of pairs of each bin that has any, ascending."""
        some = self.count[row] > 0
        count = self.count[row, some]
        return self.total[row, some] / count, self.right[row, some] / count, count


def _bins(log_prob: Float[Tensor, "*batch"]) -> Int[Tensor, "*batch"]:
    place = (log_odds(log_prob).clamp(LOWEST, HIGHEST) - LOWEST) * (BINS / (HIGHEST - LOWEST))
    return place.long().clamp_max(BINS - 1)
