"""Interface of a way to calibrate, and the check that a level has enough labels to learn from."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Literal, Protocol

import numpy as np
from jaxtyping import Bool, Float, Int
from torch import Tensor

from cladewise.ops import speaks
from cladewise.predictions import Prediction
from cladewise.taxonomy import Taxonomy

By = Literal["all", "level"]

ENOUGH = 30
"""Number of labelled images from which a level gets parameters of its own."""
CELLS_AT_ONCE = 1 << 22
"""Approximate number of (image, node) cells processed at a time, 16 MB in single precision."""


class Calibrator(Protocol):
    """A way to calibrate: parameters are learnt from labelled images, and applied to any prediction."""

    def fit(self, prediction: Prediction, target: Int[Tensor, " image"], by: By) -> Float[Tensor, "*shape"]:
        """Parameters learnt from images that the network was not trained on, in double precision."""
        ...

    def apply(self, prediction: Prediction, parameters: Float[Tensor, "*shape"]) -> Prediction:
        """The calibrated prediction."""
        ...


def parts(prediction: Prediction, target: Int[Tensor, " image"]) -> Iterator[tuple[Prediction, Tensor]]:
    """The images in parts of about :data:`CELLS_AT_ONCE` cells, with their labels."""
    size = max(1, CELLS_AT_ONCE // prediction.taxonomy.num_nodes)
    for start in range(0, len(target), size):
        yield prediction[start : start + size], target[start : start + size].to(prediction.device)


def learnt_alone(target: Int[Tensor, " image"], taxonomy: Taxonomy, what: str) -> Bool[np.ndarray, " level"]:
    """Mask of the levels with enough labels for parameters of their own; a warning names the others.

    Example:
        >>> import torch
        >>> t = Taxonomy.from_paths([("a", "b"), ("c", "d")])
        >>> with warnings.catch_warnings(record=True) as told:
        ...     warnings.simplefilter("always")
        ...     learnt_alone(torch.tensor([1] * 20 + [2] * 20), t, "temperature")
        array([ True, False])
        >>> str(told[0].message)
        'calibrate: level_2 has 20 labelled images, of 30 for a temperature of its own: it has that of all levels'
    """
    count = speaks(target, taxonomy).sum(0).cpu().numpy()
    few = [f"{name} has {n}" for name, n in zip(taxonomy.level_names, count, strict=True) if n < ENOUGH]
    if few:
        each = "it has that of all levels" if len(few) == 1 else "they have that of all levels"
        told = f"{', '.join(few)} labelled images, of {ENOUGH} for a {what} of its own: {each}"
        warnings.warn(f"calibrate: {told}", stacklevel=4)
    return count >= ENOUGH


def warn_if_few(num_images: int) -> None:
    """Warn if there are too few labelled images to calibrate on at all."""
    if num_images < ENOUGH:
        warnings.warn(
            f"calibrate: learnt from {num_images} labelled images, fewer than the {ENOUGH} that it needs",
            stacklevel=4,
        )
