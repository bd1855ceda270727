"""Base class of decisions, and the three kinds of answers."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar, NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from cladewise import catalogue
from cladewise.errors import InputError
from cladewise.ops import is_ancestor
from cladewise.predictions import Prediction
from cladewise.taxonomy import Taxonomy


@dataclasses.dataclass(frozen=True)
class Nodes:
    """One node per image. ``log_prob`` is the log-probability at or under the chosen node.

    A rule that tells known from new classes says with ``new`` for which images it claims that the class is new: under
    the answered node, and none of its known classes.
    """

    node: Int[Tensor, "*batch"]
    log_prob: Float[Tensor, "*batch"]
    new: Bool[Tensor, "*batch"] | None = None

    @classmethod
    def of(cls, prediction: Prediction, node: Int[Tensor, " image"]) -> Nodes:
        """The chosen nodes in the shape of the prediction's batch, with their log-probabilities."""
        shaped = node.reshape(*prediction.batch_shape, 1)
        return cls(shaped.squeeze(-1), prediction.log_prob_of(shaped).squeeze(-1))


@dataclasses.dataclass(frozen=True)
class LevelNodes:
    """One node per level and image, coarse to fine; the nodes need not lie on one path."""

    node: Int[Tensor, "*batch level"]
    log_prob: Float[Tensor, "*batch level"]


@dataclasses.dataclass(frozen=True)
class LabelSets:
    """A set of nodes per image."""

    chosen: Bool[Tensor, "*batch node"]
    log_prob: Float[Tensor, "*batch node"]


Answer = Nodes | LevelNodes | LabelSets


class Promise(NamedTuple):
    """A share of right answers that a fitted rule promises, for all images or for some of them."""

    name: str
    """A level, a group of images, or both; empty for all answers to all images."""
    share: float


@dataclasses.dataclass(frozen=True)
class Decision(ABC):
    """A rule that turns a prediction into an answer. Its fields are its parameters; its ``name`` is its handle.

    Equal values go to the lowest node.
    """

    name: ClassVar[str]

    @property
    def handle(self) -> str:
        """The name with the parameters that differ from their defaults: ``threshold-0.8``."""
        return catalogue.handle(self)

    @property
    def promise(self) -> float | None:
        """Share of right answers, in [0, 1), that the fitted rule promises; ``None`` if it promises none."""
        return None

    @property
    def is_proven(self) -> bool:
        """Whether fitting proves a promise, for which nothing before the rule may have learnt from the same images."""
        return self.promise is not None

    def promises(self, taxonomy: Taxonomy) -> tuple[Promise, ...]:
        """All that the fitted rule promises, each to be judged on its own; by default the :attr:`promise`, if any."""
        return () if self.promise is None else (Promise("", self.promise),)

    def kept(
        self, prediction: Prediction, answer: Nodes, target: Int[Tensor, "*batch"]
    ) -> Int[Tensor, "promise right_and_all"]:
        """How many images each of the :meth:`promises` is about, and how many of these are right.

        Args:
            prediction: Of labelled images.
            answer: The answer of the rule.
            target: The labels.
        """
        if self.promise is None:
            return torch.zeros(0, 2, dtype=torch.int64, device=target.device)
        right = is_ancestor(answer.node, target, prediction.taxonomy)
        return torch.stack([right.sum(), torch.ones_like(right).sum()])[None]

    def decided_on(self, prediction: Prediction) -> Prediction:
        """The prediction that :attr:`final` decides on: the given one, unless the rule has inferences of its own."""
        return prediction

    @property
    def final(self) -> Decision:
        """The rule without inferences of its own: ``rule(p)`` is ``rule.final(rule.decided_on(p))``."""
        return self

    def ranking(self, prediction: Prediction, k: int, answer: Answer | None = None) -> Int[Tensor, "*batch k"]:
        """The ``k`` best labels of each image, best first: the answered node, then the others in the rule's order.

        So an image that is right by its answer is right among the first ``k``. An answer per level leads with its
        finest node; a set of labels has no order and does not lead.

        Args:
            prediction: Of any kind.
            k: Number of labels, at least 1; fewer are returned if the rule orders fewer.
            answer: The answer of the rule, if it is already known.
        """
        others = self.order(prediction, k)
        answer = self(prediction) if answer is None else answer
        if isinstance(answer, LabelSets):
            return others
        return led_by(answer.node if isinstance(answer, Nodes) else answer.node[..., -1], others)

    def order(self, prediction: Prediction, k: int) -> Int[Tensor, "*batch k"]:
        """The ``k`` best labels apart from the answer: the prediction's own order, unless the rule has another."""
        return prediction.ranking(k)

    @abstractmethod
    def __call__(self, prediction: Prediction) -> Answer:
        """Decide for every image of the batch."""

    # ---------------------------------------------------------------- in exported graphs

    @property
    def is_traceable(self) -> bool:
        """Whether the rule can be part of an exported graph, by :meth:`traced`."""
        return type(self).traced is not Decision.traced

    @property
    def adjustable(self) -> dict[str, Float[Tensor, "*shape"]]:
        """Numbers of the rule that an exported graph takes as inputs, by name, with the rule's own values."""
        return {}

    def traced(self, prediction: Prediction, numbers: Mapping[str, Tensor]) -> Answer:
        """The answer of the rule, by operations that an exporter can trace (:func:`cladewise.tracing.traced`).

        Shapes follow from the batch and the tree alone; :mod:`cladewise.decisions.dense` has the vocabulary. A rule
        whose call is such already calls itself. By default a rule has no such form.

        Args:
            prediction: Of images with one batch axis.
            numbers: Values in place of the :attr:`adjustable` ones.

        Raises:
            InputError: The rule, or one of its options, cannot be part of a graph.
        """
        raise InputError("a decision that can be part of a graph", self.name)


def led_by(first: Int[Tensor, "*batch"], others: Int[Tensor, "*batch k"]) -> Int[Tensor, "*batch k"]:
    """A ranking that begins with a given node: moved to the front, or inserted there in place of the last.

    Example:
        >>> led_by(torch.tensor([3, 7]), torch.tensor([[1, 3, 5], [1, 3, 5]]))
        tensor([[3, 1, 5],
                [7, 1, 3]])
    """
    if others.shape[-1] == 0:
        return first[..., None]
    column = torch.arange(others.shape[-1], device=others.device)
    there = others == first[..., None]
    place = torch.where(there.any(-1), there.byte().argmax(-1), column[-1])
    moved = others.gather(-1, (column - (column <= place[..., None]).long()).clamp_min(0))
    moved[..., 0] = first
    return moved
