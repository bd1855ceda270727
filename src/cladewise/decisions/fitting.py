"""Checks that fitted decisions share: before they are fitted, and before they are used."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from cladewise.errors import InputError
from cladewise.predictions import Prediction


def check_targets(prediction: Prediction, target: Tensor) -> None:
    """Check that there is a label for each image to fit on, and at least one image.

    Raises:
        InputError: There is no image, or the shapes differ.
    """
    if prediction.batch_shape != target.shape or target.numel() == 0:
        shapes = f"shapes {list(prediction.batch_shape)} and {list(target.shape)}"
        raise InputError("predictions and as many targets, one at least", shapes)


def not_fitted(name: str, fits_on: str) -> InputError:
    """The error of a fitted rule that is used without being fitted.

    Args:
        name: Name of the rule.
        fits_on: Split that it is fitted on.
    """
    advice = f"Fit it on the {fits_on} split: rule.fit(prediction, target)."
    return InputError(f"a rule {name} that is fitted", "one that is not", advice=advice)


def fitted_number(number: float | Tensor | None, name: str, fits_on: str) -> Float[Tensor, "*shape"]:
    """A number of a fitted rule in double precision, for :attr:`~cladewise.decisions.Decision.adjustable`.

    Args:
        number: The number; ``None`` before the rule is fitted.
        name: Name of the rule.
        fits_on: Split that it is fitted on.

    Raises:
        InputError: The rule is not fitted.

    Example:
        >>> fitted_number(0.5, "climbing", "val")
        tensor(0.5000, dtype=torch.float64)
    """
    if number is None:
        raise not_fitted(name, fits_on)
    return torch.as_tensor(number, dtype=torch.float64)
