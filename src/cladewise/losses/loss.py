"""What every loss on (logits, target) is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from cladewise.errors import InputError
from cladewise.ops import at_least_float
from cladewise.taxonomy import Taxonomy


class Loss(nn.Module, ABC):
    """A loss in nats per image, not reduced over the batch.

    Subclasses say how many logits they take and compute the loss; calling one checks its input, and computes in single
    precision at least, under autocast as well. A loss has no parameters and no state.
    """

    def __init__(self, taxonomy: Taxonomy) -> None:
        super().__init__()
        self.taxonomy = taxonomy

    @property
    @abstractmethod
    def num_outputs(self) -> int:
        """Number of logits an image."""

    @property
    def lower_bound(self) -> float:
        """What no loss of an image is below, in nats."""
        return 0.0

    @abstractmethod
    def per_image(self, logits: Float[Tensor, "*batch out"], target: Int[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
        """The loss of checked input."""

    def forward(self, logits: Float[Tensor, "*batch out"], target: Int[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
        """Loss of every image, in nats.

        Args:
            logits: Scores as the head gave them.
            target: Node of every image, internal nodes included.

        Raises:
            InputError: The shapes do not fit, or (checked on the CPU only) a target is not a node.
        """
        if logits.ndim == 0 or logits.shape[-1] != self.num_outputs or logits.shape[:-1] != target.shape:
            raise InputError(
                f"logits [*batch, {self.num_outputs}] and targets [*batch]",
                f"shapes {list(logits.shape)} and {list(target.shape)}",
            )
        if target.device.type == "cpu" and target.numel():
            low, high = (int(bound) for bound in torch.aminmax(target))
            if low < 0 or high >= self.taxonomy.num_nodes:
                raise InputError(
                    f"targets that are nodes, 0 to {self.taxonomy.num_nodes - 1}", low if low < 0 else high
                )
        with torch.autocast(logits.device.type, enabled=False):
            return self.per_image(at_least_float(logits), target)

    def for_labels(self, num_images: Int[Tensor, " node"]) -> Loss:
        """The same loss for training images of which so many are labelled with each node.

        It is this very one, unless how frequent the labels are makes a difference.
        """
        return self

    def extra_repr(self) -> str:
        return f"{self.taxonomy!r}"


def check_between(value: float, low: float, high: float, what: str) -> None:
    """Refuse a setting outside ``[low, high]``, or nan.

    Raises:
        InputError: The value is outside.
    """
    if not low <= value <= high:
        raise InputError(f"{what} in [{low:g}, {high:g}]", value)


def check_choice(value: str, choices: Sequence[str], what: str) -> None:
    """Refuse a setting that is not one of the choices.

    Raises:
        InputError: The value is another.
    """
    if value not in choices:
        raise InputError(f"{what} among {', '.join(choices)}", repr(value))
