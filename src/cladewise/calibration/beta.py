"""Beta calibration of the probabilities of nodes."""

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
from cladewise.ops import log_complement
from cladewise.ops.tempering import LEAST
from cladewise.predictions import Prediction

FLATTEST = 1e-3
"""Smallest exponent, so that a more probable node stays more probable."""


@dataclasses.dataclass(frozen=True)
class Beta:
    r"""Beta calibration: log-odds that are linear in :math:`\log p` and :math:`\log(1 - p)`.

    .. math:: \operatorname{logit} p'_v = a_k \log p_v - b_k \log(1 - p_v) + c_k, \qquad a_k, b_k > 0

    Fitted to all pairs of an image and a node of level *k* by their log loss, with a normal prior at the identity
    :math:`(1, 1, 0)` that counts as much as a single pair. Parameters are ``[map, 3]``.

    References: Kull, Silva Filho and Flach, Beta calibration, AISTATS 2017, without the prior; there negative exponents
        are set to 0 one at a time, here they are bounded together.
    """

    def fit(self, prediction: Prediction, target: Int[Tensor, " image"], by: By) -> Float[Tensor, "*shape"]:
        """The coefficients of one map, or of one per level."""
        counts = ProbabilityCounts.by(prediction, target, by, "map")
        rows = [beta_coefficients(*counts.level(row)) for row in range(len(counts.count))]
        return torch.from_numpy(np.stack(rows) if rows else np.zeros((0, 3)))

    def apply(self, prediction: Prediction, parameters: Float[Tensor, "*shape"]) -> Prediction:
        """The prediction with every probability mapped, and none above its parent's."""
        return mapped(prediction, parameters, _log_odds)


def beta_coefficients(
    p: NDArray[np.float64], share: NDArray[np.float64], count: NDArray[np.float64]
) -> Float[np.ndarray, 3]:
    """Coefficients of one map, from probabilities, the share of right pairs at each, and the number of pairs."""
    from scipy.optimize import minimize
    from scipy.special import expit, log_expit

    identity = np.array([1.0, 1.0, 0.0])
    if not len(p):
        return identity
    p = np.clip(p, np.finfo(np.float64).tiny, np.exp(LEAST))
    x = np.stack([np.log(p), -np.log1p(-p), np.ones_like(p)])

    def loss(values: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        z, off = values @ x, values - identity
        nats = -count @ (share * log_expit(z) + (1 - share) * log_expit(-z))
        slope = x @ (count * (expit(z) - share))
        return float(nats + off @ off / 2) / count.sum(), (slope + off) / count.sum()

    bounds = [(FLATTEST, None), (FLATTEST, None), (None, None)]
    found = minimize(loss, identity, jac=True, method="L-BFGS-B", bounds=bounds, options={"ftol": 1e-14, "gtol": 1e-10})
    return np.asarray(found.x, dtype=np.float64)


def _log_odds(log_prob: Float[Tensor, "*batch k"], coefficients: Float[Tensor, 3]) -> Float[Tensor, "*batch k"]:
    a, b, c = coefficients.to(log_prob)
    return a * log_prob.clamp_min(torch.finfo(torch.float32).min / 1e4) - b * log_complement(log_prob) + c
