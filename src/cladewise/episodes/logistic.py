"""Multinomial logistic regression for few-shot episodes, fitted for many episodes at once."""

from __future__ import annotations

import dataclasses

import torch
from jaxtyping import Float, Int
from torch import Tensor

from cladewise.errors import InputError

MOST_STEPS = 1000


@dataclasses.dataclass(frozen=True)
class LogisticRegressions:
    """Fitted classifiers, one per episode.

    Args:
        weights: ``[episode, feature, way]``.
        intercepts: ``[episode, way]``.
        converged: Whether all of them reached the tolerance.
    """

    weights: Float[Tensor, "episode feature way"]
    intercepts: Float[Tensor, "episode way"]
    converged: bool

    def scores(self, features: Float[Tensor, "episode image feature"]) -> Float[Tensor, "episode image way"]:
        """Logits of the images of each episode."""
        return features @ self.weights + self.intercepts[:, None]


def fit_logistic(
    features: Float[Tensor, "episode image feature"],
    answers: Int[Tensor, " image"],
    ways: int,
    *,
    inverse_penalty: float = 1.0,
    tolerance: float = 1e-5,
) -> LogisticRegressions:
    r"""Fit a multinomial logistic regression to every episode at once.

    .. math:: \min_{W, b}\; C \sum_i \bigl(\operatorname{LSE}(W^\top x_i + b) - (W^\top x_i + b)_{y_i}\bigr)
        + \tfrac12 \|W\|^2

    The problem is strongly convex in W and smooth, so accelerated gradient steps with a restart reach the solution in
    tens of steps. Two changes of variables, both exact, keep it well conditioned: features are centred (which
    changes only the intercept), and if there are fewer images than features, they are projected onto the span of the
    images.

    Args:
        features: Features of the support images.
        answers: Class of each image, from 0; the same in every episode.
        ways: Number of classes.
        inverse_penalty: C > 0, dimensionless; the larger, the weaker the penalty.
        tolerance: Largest entry of the gradient, per unit of C, at which the fit counts as converged.

    Raises:
        InputError: The shapes do not match, C is not positive, or a class is out of range.

    Example:
        >>> found = fit_logistic(torch.tensor([[[1.0, 0.0], [0.0, 1.0]]]), torch.tensor([0, 1]), 2)
        >>> found.scores(torch.tensor([[[0.9, 0.1]]])).argmax(-1)
        tensor([[0]])

    References: the objective is that of scikit-learn's ``LogisticRegression`` (multinomial, L2, intercept not
        penalised), which few-shot evaluations use. With two classes it has one weight vector instead of two; half the C
        then gives its solution. Acceleration: Nesterov, 1983; restart: O'Donoghue and Candès, Adaptive restart
        for accelerated gradient schemes, 2015.
    """
    if features.ndim != 3 or answers.shape != features.shape[1:2]:
        raise InputError("features [episode, image, feature] and answers [image]", _shapes(features, answers))
    if not inverse_penalty > 0:
        raise InputError("an inverse penalty C above 0", inverse_penalty)
    if answers.numel() == 0 or int(answers.min()) < 0 or int(answers.max()) >= ways:
        raise InputError(f"answers from 0 to {ways - 1}", answers.tolist())
    mean = features.mean(1, keepdim=True)
    centred = features - mean
    basis, points, largest = _spanned(centred)
    largest = largest.clamp_min(2 / inverse_penalty)  # otherwise the intercept converges slowly if images are similar
    ones = (largest / len(answers)).sqrt().expand(-1, len(answers), 1)
    found, converged = _minimise(points, ones, answers, ways, largest, inverse_penalty, tolerance)
    weights = found[:, :-1] if basis is None else basis.mT @ found[:, :-1]
    intercepts = (found[:, -1:] * ones[:, :1] - mean @ weights)[:, 0]
    return LogisticRegressions(weights, intercepts, converged)


def _spanned(centred: Tensor) -> tuple[Tensor | None, Tensor, Tensor]:
    """An orthonormal basis of the span of the images as rows (``None`` if it would save nothing), the images in that
    basis, and an upper bound on the largest eigenvalue of their Gram matrix ``[episode, 1, 1]``."""
    gram = centred @ centred.mT
    if gram.shape[-1] >= centred.shape[-1]:  # the largest absolute row sum bounds the largest eigenvalue
        return None, centred, gram.abs().sum(-1).amax(-1)[:, None, None]
    values, vectors = torch.linalg.eigh(gram.double())
    largest = values[:, -1:].clamp_min(1e-12)
    kept = values > 1e-10 * largest
    length = torch.where(kept, values, 1.0).sqrt()
    basis = (torch.where(kept, 1 / length, 0.0)[:, :, None] * vectors.mT).to(centred.dtype) @ centred
    points = (vectors * torch.where(kept, length, 0.0)[:, None]).to(centred.dtype)
    return basis, points, (1.001 * largest[:, None]).to(centred.dtype)


def _minimise(
    points: Tensor,
    ones: Tensor,
    answers: Tensor,
    ways: int,
    largest: Tensor,
    inverse_penalty: float,
    tolerance: float,
) -> tuple[Tensor, bool]:
    """Minimise by accelerated gradient steps with step size 1/L; the last row of the weights is the intercept."""
    design = torch.cat([points, ones], -1)
    wanted = torch.nn.functional.one_hot(answers, ways).to(design.dtype)
    penalised = design.new_ones(design.shape[-1], 1)
    penalised[-1] = 0  # not the intercept
    step = 1 / (inverse_penalty * largest / 2 + 1)
    here = design.new_zeros(len(design), design.shape[-1], ways)
    ahead, speed = here, design.new_ones(len(design), 1, 1)
    for _ in range(MOST_STEPS):
        missed = (design @ ahead).softmax(-1) - wanted
        slope = inverse_penalty * (design.mT @ missed) + penalised * ahead
        if float(slope.abs().max()) <= tolerance * inverse_penalty:
            return ahead, True
        there = ahead - step * slope
        moved = there - here
        uphill = (slope * moved).sum((-2, -1), keepdim=True) > 0
        speed = torch.where(uphill, 1.0, speed)
        faster = (1 + (1 + 4 * speed.square()).sqrt()) / 2
        ahead = there + torch.where(uphill, 0.0, (speed - 1) / faster) * moved
        here, speed = there, faster
    return here, False


def _shapes(features: Tensor, answers: Tensor) -> str:
    return f"shapes {list(features.shape)} and {list(answers.shape)}"
