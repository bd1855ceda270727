"""The base class of training objectives that need more than the logits and labels of single images."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable

from jaxtyping import Float, Int
from torch import Tensor, nn

from cladewise.heads import Head
from cladewise.ops import at_least_float
from cladewise.predictions import Prediction


@dataclasses.dataclass(frozen=True)
class TrainingBatch:
    """The input of an objective. Rows are views of images; the views of one image are adjacent.

    Args:
        prediction: Output of the head, ``[image * view]``.
        target: Label of each row.
        index: Index in the dataset of each row's image.
        views: Number of views per image.
        head: The head, for objectives that use its weights.
        followed: Output of the momentum copy of the network for the same rows, without a gradient; ``None`` if there is
            no copy.
    """

    prediction: Prediction
    target: Int[Tensor, " row"]
    index: Int[Tensor, " row"]
    views: int
    head: Head
    followed: Prediction | None = None


def projection_of(prediction: Prediction | None) -> Float[Tensor, "row dim"]:
    """The projections by which images are compared, in at least single precision.

    Raises:
        TypeError: The prediction has none: the method's head does not match its objective.
    """
    if prediction is None or prediction.image_vectors is None:
        raise TypeError("an objective that compares images needs a head that projects them")
    return at_least_float(prediction.image_vectors)


@dataclasses.dataclass(frozen=True)
class TrainingVectors:
    """Representations of all training images, without augmentation.

    Args:
        vectors: :meth:`cladewise.heads.Head.represent` of each image.
        target: Label of each image.
        index: Index of each image in the dataset.
    """

    vectors: Float[Tensor, "image dim"]
    target: Int[Tensor, " image"]
    index: Int[Tensor, " image"]


class Objective(nn.Module, ABC):
    """A training loss in nats per row of a batch, with state of its own: queues, clusters, margins.

    State is kept in buffers, so that checkpoints contain it and an interrupted run resumes with it. When several
    processes train together, an objective with a state compares the images of its own process alone.
    """

    @abstractmethod
    def forward(self, batch: TrainingBatch) -> Float[Tensor, " row"]:
        """The loss of every row; may update the state."""

    def begin_epoch(self, epoch: int, seed: int, represent: Callable[[], TrainingVectors]) -> None:
        """Called before each epoch.

        Args:
            epoch: Number of the epoch, from 0.
            seed: Seed for any randomness.
            represent: Computes the current representations, in one pass over the images.
        """
        return

    def state(self) -> dict[str, float]:
        """Numbers by name to log after each epoch, as for :meth:`cladewise.heads.Head.state`."""
        return {}
