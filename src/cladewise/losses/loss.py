"""The base class of losses on (logits, target)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from cladewise.errors import InputError
from cladewise.ops import at_least_float
from cladewise.predictions import Prediction
from cladewise.taxonomy import Taxonomy


class Loss(nn.Module, ABC):
    """A loss in nats per image, not reduced over the batch.

    Subclasses define the number of logits, the loss of a batch, and the prediction that the same logits stand for.
    Calling a loss checks its input and computes in at least single precision, also under autocast. A loss has no
    parameters and no state.

    Example:
        From features to a metric in a training loop of one's own:

        >>> from cladewise import decisions, losses, metrics
        >>> taxonomy = Taxonomy.from_paths([("bird", "wren"), ("bird", "robin"), ("moth",)])
        >>> features, target = torch.eye(3, 8), torch.tensor([2, 3, 4])  # three images and their nodes
        >>> loss = losses.HACELoss(taxonomy)
        >>> linear = nn.Linear(8, loss.num_outputs)
        >>> optimizer = torch.optim.SGD(linear.parameters(), lr=10.0)
        >>> for _ in range(20):
        ...     optimizer.zero_grad()
        ...     loss(linear(features), target).mean().backward()
        ...     optimizer.step()
        >>> prediction = loss.prediction(linear(features).detach())  # log-probabilities of all nodes
        >>> node = decisions.Leaf()(prediction).node  # the most probable leaf of each image
        >>> metrics.hierarchical_distance(node, target, taxonomy).mean()
        tensor(0.)
    """

    def __init__(self, taxonomy: Taxonomy) -> None:
        super().__init__()
        self.taxonomy = taxonomy

    @property
    @abstractmethod
    def num_outputs(self) -> int:
        """Number of logits per image."""

    @property
    def lower_bound(self) -> float:
        """A lower bound on the loss of any image, in nats."""
        return 0.0

    @abstractmethod
    def prediction(self, logits: Float[Tensor, "*batch out"]) -> Prediction:
        """The prediction that logits trained with this loss stand for.

        Args:
            logits: Scores as the loss takes them, ``[*batch, num_outputs]``.
        """

    @abstractmethod
    def per_image(self, logits: Float[Tensor, "*batch out"], target: Int[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
        """The loss of input that has been checked."""

    def forward(self, logits: Float[Tensor, "*batch out"], target: Int[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
        """Loss of every image, in nats.

        Args:
            logits: Raw scores from the head.
            target: Node of every image; internal nodes allowed.

        Raises:
            InputError: The shapes do not match, or (checked on the CPU only) a target is not a node.
        """
        check_batch(logits, target, self.num_outputs, self.taxonomy)
        with torch.autocast(logits.device.type, enabled=False):
            return self.per_image(at_least_float(logits), target)

    def for_labels(self, num_images: Int[Tensor, " node"]) -> Loss:
        """The same loss, adapted to the number of training images labelled with each node.

        Returns the loss itself unless it depends on label frequencies.
        """
        return self

    def extra_repr(self) -> str:
        return f"{self.taxonomy!r}"


def check_batch(rows: Tensor, target: Tensor, width: int, taxonomy: Taxonomy) -> None:
    """Check the shapes of rows and targets and, on the CPU, that targets are nodes.

    Raises:
        InputError: They do not fit.
    """
    if rows.ndim == 0 or rows.shape[-1] != width or rows.shape[:-1] != target.shape:
        raise InputError(
            f"logits [*batch, {width}] and targets [*batch]", f"shapes {list(rows.shape)} and {list(target.shape)}"
        )
    if target.device.type == "cpu" and target.numel():
        low, high = (int(bound) for bound in torch.aminmax(target))
        if low < 0 or high >= taxonomy.num_nodes:
            raise InputError(f"targets that are nodes, 0 to {taxonomy.num_nodes - 1}", low if low < 0 else high)


def check_between(value: float, low: float, high: float, what: str) -> None:
    """Check that a setting is in ``[low, high]``; nan is not.

    Raises:
        InputError: The value is outside.
    """
    if not low <= value <= high:
        raise InputError(f"{what} in [{low:g}, {high:g}]", value)


def check_choice(value: str, choices: Sequence[str], what: str) -> None:
    """Check that a setting is one of the choices.

    Raises:
        InputError: It is not.
    """
    if value not in choices:
        raise InputError(f"{what} among {', '.join(choices)}", repr(value))
