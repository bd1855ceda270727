"""Checks that fitted decisions share: before they are fitted, and before they are used."""

from __future__ import annotations

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
