"""What training minimises where that takes more than the logits and labels of single images."""

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
class Seen:
    """A batch as an objective sees it. Rows are views of images: those of one image are next to each other.

    Args:
        prediction: What the head says, ``[image * view]``.
        target: Label of each row.
        index: Number of the image of each row in the data set.
        views: How many there are of each image.
        head: The head, for what an objective needs of its weights.
        followed: What the network's slow copy says of the same rows, without a gradient; ``None`` without a copy.
    """

    prediction: Prediction
    target: Int[Tensor, " row"]
    index: Int[Tensor, " row"]
    views: int
    head: Head
    followed: Prediction | None = None


def projection_of(prediction: Prediction | None) -> Float[Tensor, "row dim"]:
    """The vectors that a head gave to compare images by, in single precision at least.

    Raises:
        TypeError: It gave none: the method's head and objective do not fit.
    """
    if prediction is None or prediction.image_vectors is None:
        raise TypeError("an objective that compares images needs a head that projects them")
    return at_least_float(prediction.image_vectors)


@dataclasses.dataclass(frozen=True)
class Represented:
    """What the network sees in all training images, as they are without augmentation.

    Args:
        vectors: :meth:`cladewise.heads.Head.represent` of each image.
        target: Label of each.
        index: Number of each in the data set.
    """

    vectors: Float[Tensor, "image dim"]
    target: Int[Tensor, " image"]
    index: Int[Tensor, " image"]


class Objective(nn.Module, ABC):
    """Nats per row of a batch, with whatever state that takes: queues, clusters, margins.

    State is kept in buffers, so that it is saved in checkpoints and a run that was killed goes on with it. Where
    several processes train together, each compares the images of its own batch.
    """

    @abstractmethod
    def forward(self, seen: Seen) -> Float[Tensor, " row"]:
        """The loss of every row; it may change the state."""

    def begin_epoch(self, epoch: int, seed: int, represent: Callable[[], Represented]) -> None:
        """Called before each pass over the images.

        Args:
            epoch: Which pass, from 0.
            seed: Of what is random here.
            represent: Gives what the network sees now; that takes a pass over the images.
        """
        return

    def state(self) -> dict[str, float]:
        """Numbers of the state that are worth a line in the log of each epoch, by name, as those of a head are."""
        return {}
