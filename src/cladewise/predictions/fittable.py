"""Protocol of rules that learn from scores: inferences and decisions that must be fitted before use."""

from __future__ import annotations

from typing import Protocol, Self, runtime_checkable

from jaxtyping import Int
from torch import Tensor

from cladewise.predictions.prediction import Prediction


@runtime_checkable
class Fittable(Protocol):
    """A rule that learns from cached scores. Learned values are fields made by :func:`cladewise.catalogue.fitted`.

    Using an unfitted rule raises an :class:`cladewise.errors.InputError`.
    """

    @property
    def fits_on(self) -> str:
        """Default split to fit on: ``"train"``, ``"val"``, or the user's choice."""
        ...

    @property
    def is_fitted(self) -> bool:
        """Whether the rule has been fitted."""
        ...

    def fit(self, prediction: Prediction, target: Int[Tensor, "*batch"]) -> Self:
        """A fitted copy of the rule, from predictions and true nodes."""
        ...
