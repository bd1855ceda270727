"""Chains of inference rules."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Self

import polars as pl
from jaxtyping import Int
from torch import Tensor

from cladewise.errors import InputError
from cladewise.inference.columns import bound_to, needs_columns, notes_on
from cladewise.inference.inference import Inference
from cladewise.predictions import Fittable, Prediction
from cladewise.taxonomy import Taxonomy


@dataclasses.dataclass(frozen=True)
class Chain(Inference):
    """Rules applied in turn, each to what the one before returns. Made by :func:`chain`."""

    rules: tuple[Inference, ...]

    @property
    def handle(self) -> str:
        """The handles of the rules, joined by ``+``."""
        return "+".join(rule.handle for rule in self.rules)

    def __call__(self, prediction: Prediction) -> Prediction:
        for rule in self.rules:
            prediction = rule(prediction)
        return prediction

    @property
    def needs_columns(self) -> bool:
        """Whether one of the rules needs further columns of the images."""
        return any(map(needs_columns, self.rules))

    def bound(self, columns: pl.DataFrame) -> Self:
        """The chain with its rules bound to the columns of some images.

        Raises:
            InputError: A rule needs a column that is missing.
        """
        return dataclasses.replace(self, rules=tuple(bound_to(rule, columns) for rule in self.rules))

    def notes(self, columns: pl.DataFrame, taxonomy: Taxonomy) -> tuple[str, ...]:
        """Sentences of the rules about images that they leave as they are.

        Raises:
            InputError: As :meth:`bound`.
        """
        return tuple(text for rule in self.rules for text in notes_on(rule, columns, taxonomy))

    def about(self, prediction: Prediction) -> dict[str, str]:
        said: dict[str, str] = {}
        for rule in self.rules:
            said |= {f"{rule.name}/{key}": text for key, text in rule.about(prediction).items()}
            prediction = rule(prediction)
        return said


@dataclasses.dataclass(frozen=True)
class FittableChain(Chain):
    """Rules of which some are fitted, each on the output of the rules before it."""

    @property
    def fits_on(self) -> str:
        """The split that the fittable rules are fitted on."""
        return next(rule.fits_on for rule in self.rules if isinstance(rule, Fittable))

    @property
    def is_fitted(self) -> bool:
        """Whether all fittable rules have been fitted."""
        return all(rule.is_fitted for rule in self.rules if isinstance(rule, Fittable))

    def fit(self, prediction: Prediction, target: Int[Tensor, "*batch"]) -> Self:
        """A copy of the chain with its rules fitted."""
        fitted: list[Inference] = []
        last = max(place for place, rule in enumerate(self.rules) if isinstance(rule, Fittable))
        for place, rule in enumerate(self.rules):
            ready = rule.fit(prediction, target) if isinstance(rule, Fittable) else rule
            fitted.append(ready)
            if place < last:
                prediction = ready(prediction)
        return dataclasses.replace(self, rules=tuple(fitted))


def chain(*rules: Inference | Sequence[Inference]) -> Inference:
    """One rule that applies several in turn: ``chain(a, b)`` or ``chain([a, b])``.

    It can be fitted if one of them can; a single rule is returned as it is.

    Raises:
        InputError: There is no rule, or they are fitted on different splits.

    Example:
        >>> from cladewise.inference import BottomUp, Diffusion
        >>> chain(Diffusion(0.5), BottomUp()).handle
        'diffusion-0.5+bottom-up'
    """
    flat: list[Inference] = []
    for rule in rules:
        for part in [rule] if isinstance(rule, Inference) else rule:
            flat += part.rules if isinstance(part, Chain) else [part]
    if not flat:
        raise InputError("at least one inference", "none")
    if len(flat) == 1:
        return flat[0]
    splits = sorted({rule.fits_on for rule in flat if isinstance(rule, Fittable)})
    if len(splits) > 1:
        raise InputError("inferences that are fitted on one split", " and ".join(splits))
    return (FittableChain if splits else Chain)(tuple(flat))
