"""Base class of novelty scores: evidence, at every inner node, that an image belongs to nothing known under it."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from cladewise import catalogue, ops
from cladewise.errors import InputError
from cladewise.predictions import Prediction

Over = Literal["leaves", "children"]


@dataclasses.dataclass(frozen=True)
class NoveltyScore(ABC):
    """Evidence, at every inner node, that an image which belongs under it belongs to nothing known there.

    A score measures how well the image fits what is known under a node: the leaves below it, or its children. Values
    are finite, larger for less familiar images, and comparable between images at one node. The score over leaves at the
    root is the usual one of a flat classifier.

    Args:
        over: What is known under a node: its ``"leaves"``, or its ``"children"``.

    Raises:
        InputError: It is neither.
    """

    name: ClassVar[str]

    over: Over = "leaves"

    def __post_init__(self) -> None:
        if self.over not in ("leaves", "children"):
            raise InputError("a novelty score over leaves or children", repr(self.over))

    @property
    def handle(self) -> str:
        """The name with the parameters that differ from their defaults: ``entropy-children``."""
        return catalogue.handle(self)

    def __call__(self, prediction: Prediction) -> Float[Tensor, "*batch inner"]:
        """The score at each of ``ops.tree_index(prediction.taxonomy, prediction.device).inner_nodes``."""
        found = self.of_leaves(prediction) if self.over == "leaves" else self.of_children(prediction)
        return found.nan_to_num()

    def at_root(self, prediction: Prediction) -> Float[Tensor, "*batch"]:
        """The score at the root alone, without those of the other nodes; of a tree with an inner node."""
        found = self.of_all_leaves(prediction) if self.over == "leaves" else self.of_children(prediction)[..., 0]
        return found.nan_to_num()

    def of_all_leaves(self, prediction: Prediction) -> Float[Tensor, "*batch"]:
        """The score at the root by all leaves."""
        return self.of_leaves(prediction)[..., 0]

    @abstractmethod
    def of_leaves(self, prediction: Prediction) -> Float[Tensor, "*batch inner"]:
        """The score by the leaves under each inner node."""

    @abstractmethod
    def of_children(self, prediction: Prediction) -> Float[Tensor, "*batch inner"]:
        """The score by the children of each inner node."""


def bounded(values: Tensor) -> Tensor:
    """Values in single precision at least, with infinities replaced by large numbers, so that scores are finite."""
    values = ops.at_least_float(values)
    most = torch.finfo(values.dtype).max / 8
    return values.nan_to_num(-most, most, -most).clamp(-most, most)


def at_inner_nodes(values: Float[Tensor, "*batch node"], prediction: Prediction) -> Float[Tensor, "*batch inner"]:
    """The values of the inner nodes."""
    return values.index_select(-1, ops.tree_index(prediction.taxonomy, values.device).inner_nodes)


def of_parents(
    values: Float[Tensor, "*batch child"], prediction: Prediction, reduce: Literal["amax", "sum"]
) -> Float[Tensor, "*batch inner"]:
    """The largest value, or the sum of the values, of each inner node's children."""
    index = ops.tree_index(prediction.taxonomy, values.device)
    group = index.group.expand_as(values)
    shape = (*values.shape[:-1], len(index.inner_nodes))
    if reduce == "sum":
        return values.new_zeros(shape).scatter_add(-1, group, values)
    return values.new_full(shape, -torch.inf).scatter_reduce(-1, group, values, "amax")
