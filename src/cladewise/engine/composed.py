"""A decision with inferences of its own: ``calibrate+hedging:guarantee=0.95``."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Self

import polars as pl
import torch
from jaxtyping import Int
from torch import Tensor

from cladewise.decisions import Answer, Decision, Nodes, Promise
from cladewise.errors import InputError
from cladewise.inference import Chain, Inference
from cladewise.predictions import Fittable, Prediction
from cladewise.taxonomy import Taxonomy

SEED = 0
"""Seed of the random halves that a promise and what comes before it are fitted on."""


@dataclasses.dataclass(frozen=True)
class Composed(Decision):
    """Inferences applied in turn, then a decision on their result; written ``inference+inference+decision``.

    :meth:`fit` fits every part that learns. If the decision makes a promise, such as a share of right answers, and an
    inference learns too, they are fitted on disjoint random halves of the images: the bound behind a promise holds for
    a rule that was chosen independently of the images it is tested on. Any other chain is fitted on all images
    throughout, each part on the output of those before it.

    Args:
        inferences: The inferences, in order.
        decision: The decision.

    Raises:
        InputError: There is no inference, or the parts are fitted on different splits; when it is fitted for a promise,
            there are fewer than two images.

    Example:
        >>> from cladewise import Taxonomy
        >>> from cladewise.decisions import Leaf
        >>> from cladewise.inference import Subset
        >>> from cladewise.predictions import LeafSoftmax
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
        >>> rule = Composed((Subset(["c", "d"]),), Leaf())
        >>> rule(LeafSoftmax(t, torch.tensor([[3.0, 1.0, 2.0]]))).node
        tensor([4])
    """

    inferences: tuple[Inference, ...]
    decision: Decision

    def __post_init__(self) -> None:
        flat = (part for rule in self.inferences for part in (rule.rules if isinstance(rule, Chain) else [rule]))
        object.__setattr__(self, "inferences", tuple(flat))
        if not self.inferences:
            raise InputError("at least one inference before the decision", "none")
        splits = sorted({part.fits_on for part in self._parts if isinstance(part, Fittable)})
        if len(splits) > 1:
            raise InputError(
                "inferences and a decision that are fitted on one split",
                " and ".join(splits),
                at=self.name,
                advice="Pass the inference as inference= and the decision as decision=.",
            )

    @property
    def _chain(self) -> Chain:
        return Chain(self.inferences)

    @property
    def _parts(self) -> tuple[Inference | Decision, ...]:
        return (*self.inferences, self.decision)

    @property
    def name(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The names of the parts, joined by ``+``."""
        return "+".join(part.name for part in self._parts)

    @property
    def handle(self) -> str:
        """The handles of the parts, joined by ``+``."""
        return "+".join(part.handle for part in self._parts)

    @property
    def promise(self) -> float | None:
        return self.decision.promise

    @property
    def is_proven(self) -> bool:
        return self.decision.is_proven

    def promises(self, taxonomy: Taxonomy) -> tuple[Promise, ...]:
        return self.decision.promises(taxonomy)

    def kept(
        self, prediction: Prediction, answer: Nodes, target: Int[Tensor, "*batch"]
    ) -> Int[Tensor, "promise right_and_all"]:
        return self.decision.kept(self.decided_on(prediction), answer, target)

    @property
    def fits_on(self) -> str:
        """The split that the parts are fitted on."""
        return next((part.fits_on for part in self._parts if isinstance(part, Fittable)), "val")

    @property
    def is_fitted(self) -> bool:
        """Whether every part that learns has been fitted."""
        return all(part.is_fitted for part in self._parts if isinstance(part, Fittable))

    @property
    def needs_columns(self) -> bool:
        """Whether an inference needs further columns of the images."""
        return self._chain.needs_columns

    def bound(self, columns: pl.DataFrame) -> Self:
        """The rule with its inferences bound to the columns of some images.

        Raises:
            InputError: An inference needs a column that is missing.
        """
        return dataclasses.replace(self, inferences=self._chain.bound(columns).rules)

    def notes(self, columns: pl.DataFrame, taxonomy: Taxonomy) -> tuple[str, ...]:
        """Sentences of the inferences about images that they leave as they are.

        Raises:
            InputError: As :meth:`bound`.
        """
        return self._chain.notes(columns, taxonomy)

    @property
    def final(self) -> Decision:
        return self.decision

    def decided_on(self, prediction: Prediction) -> Prediction:
        return self._chain(prediction)

    def order(self, prediction: Prediction, k: int) -> Int[Tensor, "*batch k"]:
        return self.decision.order(self.decided_on(prediction), k)

    def __call__(self, prediction: Prediction) -> Answer:
        return self.decision(self.decided_on(prediction))

    @property
    def is_traceable(self) -> bool:
        return self.decision.is_traceable

    @property
    def adjustable(self) -> dict[str, Tensor]:
        return self.decision.adjustable

    def traced(self, prediction: Prediction, numbers: Mapping[str, Tensor]) -> Answer:
        return self.decision.traced(self.decided_on(prediction), numbers)

    def fit(self, prediction: Prediction, target: Int[Tensor, " batch"]) -> Self:
        """A copy of the rule with all its parts fitted.

        The halves are drawn by the position of an image among all, with a fixed seed.

        Args:
            prediction: Of images that the model was not trained on, one batch axis.
            target: Their true nodes; internal ones are allowed.

        Raises:
            InputError: There are fewer than two images to halve, or the shapes differ.
        """
        if prediction.batch_shape != target.shape or target.ndim != 1:
            raise InputError(
                "predictions and true nodes [batch]", f"{list(prediction.batch_shape)}, {list(target.shape)}"
            )
        for_inferences, for_decision = self.fitting_rows(len(target))
        made: list[Inference] = []
        for rule in self.inferences:
            if isinstance(rule, Fittable) and not rule.is_fitted:
                rule = rule.fit(prediction[for_inferences], target[for_inferences])
            made.append(rule)
            prediction = rule(prediction)
        decision = self.decision
        if isinstance(decision, Fittable) and not decision.is_fitted:
            decision = decision.fit(prediction[for_decision], target[for_decision])
        return dataclasses.replace(self, inferences=tuple(made), decision=decision)

    def fitting_rows(self, num_images: int) -> tuple[Int[Tensor, " first"], Int[Tensor, " second"]]:
        """Positions of the images that the inferences are fitted on, and of those that the decision is fitted on.

        Raises:
            InputError: They have to be halved, and there are fewer than two.

        Example:
            >>> from cladewise.decisions import Hedging, Leaf
            >>> from cladewise.inference import Calibrate
            >>> [len(rows) for rows in Composed((Calibrate(),), Hedging()).fitting_rows(7)]
            [3, 4]
            >>> [len(rows) for rows in Composed((Calibrate(),), Leaf()).fitting_rows(7)]
            [7, 7]
        """
        every = torch.arange(num_images)
        learns = any(isinstance(rule, Fittable) and not rule.is_fitted for rule in self.inferences)
        tests = isinstance(self.decision, Fittable) and not self.decision.is_fitted and self.decision.is_proven
        if not (learns and tests):
            return every, every
        if num_images < 2:
            raise InputError(f"at least two images to fit {self.name} on, half of them for its promise", num_images)
        order = torch.randperm(num_images, generator=torch.Generator().manual_seed(SEED))
        half = num_images // 2
        return order[:half].sort().values, order[half:].sort().values
