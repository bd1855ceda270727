"""Isotonic regression of the probabilities of nodes."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor

from cladewise.calibration.calibrator import By
from cladewise.calibration.mapped import mapped
from cladewise.calibration.pairs import ProbabilityCounts
from cladewise.predictions import Prediction
from cladewise.tracing import is_traced

KEPT = 1e-3
"""Share of its own probability that a node keeps, so that nodes on one step of the map stay in order."""


@dataclasses.dataclass(frozen=True)
class Isotonic:
    r"""The non-decreasing map that fits best, in squared error, how often labels lie at or under nodes.

    .. math:: p'_v = (1 - 10^{-3})\, g_k(p_v) + 10^{-3} p_v

    :math:`g_k` is fitted to all pairs of an image and a node of level *k*, by pool-adjacent-violators, and is linear
    between its steps. Parameters are the corners of the maps, ``[map, 2, corner]``: probabilities and their images.

    References: Zadrozny and Elkan, Transforming classifier scores into accurate multiclass probability estimates, KDD
        2002; the second term is ours.
    """

    def fit(self, prediction: Prediction, target: Int[Tensor, " image"], by: By) -> Float[Tensor, "*shape"]:
        """The corners of one map, or of one per level."""
        counts = ProbabilityCounts.by(prediction, target, by, "map")
        corners = [_corners(*counts.level(row)) for row in range(len(counts.count))]
        width = max((found.shape[1] for found in corners), default=1)
        ends = (np.repeat(found[:, -1:], width - found.shape[1], axis=1) for found in corners)
        rows = [np.concatenate(pair, axis=1) for pair in zip(corners, ends, strict=True)]
        return torch.from_numpy(np.stack(rows) if rows else np.zeros((0, 2, 1)))

    def apply(self, prediction: Prediction, parameters: Float[Tensor, "*shape"]) -> Prediction:
        """The prediction with every probability mapped, and none above its parent's."""
        return mapped(prediction, parameters, _log_odds)


def _corners(
    p: NDArray[np.float64], share: NDArray[np.float64], count: NDArray[np.float64]
) -> Float[np.ndarray, "2 corner"]:
    """First and last point of each step; the identity where there is no point."""
    from scipy.optimize import isotonic_regression

    if not len(p):
        return np.array([[0.0, 1.0], [0.0, 1.0]])
    y = np.clip(isotonic_regression(share, weights=count).x, 0.0, 1.0)
    inside = np.zeros(len(y), dtype=np.bool_)
    inside[1:-1] = (y[1:-1] == y[:-2]) & (y[1:-1] == y[2:])
    return np.stack([p[~inside], y[~inside]])


def _num_below(x: Float[Tensor, " corner"], p: Float[Tensor, "*batch k"]) -> Int[Tensor, "*batch k"]:
    """Number of corners below each probability, by halving."""
    found, step = torch.zeros_like(p, dtype=torch.int64), 1 << len(x).bit_length()
    while step := step >> 1:
        place = found + step
        fits = (place <= len(x)) & (x[(place - 1).clamp(max=len(x) - 1)] < p)
        found = torch.where(fits, place, found)
    return found


def _log_odds(log_prob: Float[Tensor, "*batch k"], corners: Float[Tensor, "2 corner"]) -> Float[Tensor, "*batch k"]:
    x, y = corners.to(log_prob)
    p = log_prob.exp()
    below = _num_below(x, p) if is_traced() else torch.searchsorted(x, p.detach().contiguous())
    right = below.clamp(1, max(1, len(x) - 1))
    if len(x) == 1:
        g = y.expand_as(p)
    else:
        wide = (x[right] - x[right - 1]).clamp_min(torch.finfo(x.dtype).tiny)
        along = ((p - x[right - 1]) / wide).clamp(0.0, 1.0)
        g = y[right - 1] + along * (y[right] - y[right - 1])
    return torch.special.logit((1 - KEPT) * g + KEPT * p, eps=1e-7)
