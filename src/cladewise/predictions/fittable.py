"""Rules with something to learn from scores: inferences and decisions that are fitted before they are used."""

from __future__ import annotations

from typing import Protocol, Self, runtime_checkable

from jaxtyping import Int
from torch import Tensor

from cladewise.predictions.prediction import Prediction


@runtime_checkable
class Fittable(Protocol):
    """A rule that learns from cached scores. What it learns are fields made by :func:`cladewise.catalogue.fitted`.

    Using one that was not fitted is an :class:`cladewise.errors.InputError` that says so.
    """

    @property
    def fits_on(self) -> str:
        """Split that it is fitted on unless another is asked for: ``"train"`` or ``"val"``, or what a user chose."""
        ...

    @property
    def is_fitted(self) -> bool:
        """Whether it can be used."""
        ...

    def fit(self, prediction: Prediction, target: Int[Tensor, "*batch"]) -> Self:
        """The same rule with what it learnt from predictions and true nodes."""
        ...
