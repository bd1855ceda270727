"""A method is a composition: a head, a loss, an inference, a decision, and where it was published."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from cladewise.decisions import Decision, Leaf
from cladewise.heads import Head
from cladewise.inference import Inference
from cladewise.losses import Loss
from cladewise.methods.objective import Objective
from cladewise.predictions import Fittable
from cladewise.taxonomy import Taxonomy

if TYPE_CHECKING:
    from cladewise.backbones import Pooling

IntArray = NDArray[np.int64]


@dataclasses.dataclass(frozen=True)
class Citation:
    """Where a method was published.

    Example:
        >>> Citation("Redmon, Farhadi", "YOLO9000", "CVPR", 2017, "https://arxiv.org/abs/1612.08242").short
        'Redmon and Farhadi, CVPR 2017'
    """

    authors: str
    title: str
    venue: str
    year: int
    url: str

    def __str__(self) -> str:
        return f"{self.authors}. {self.title}. {self.venue} {self.year}. {self.url}"

    @property
    def short(self) -> str:
        """The credit of a table: the first of several authors, venue and year."""
        first, *others = self.authors.split(", ")
        by = first if not others else f"{first} and {others[0]}" if len(others) == 1 else f"{first} et al."
        return f"{by}, {self.venue} {self.year}"


def option(default: Any, text: str, *, grid: Sequence[Any] = ()) -> Any:
    """A hyper-parameter of a method: its default, what it does, and the values its paper searches."""
    return dataclasses.field(default=default, metadata={"help": text, "grid": tuple(grid)})


@dataclasses.dataclass(frozen=True, kw_only=True)
class Method(ABC):
    """A published method. Its fields are its hyper-parameters, its parts are built for a taxonomy.

    A method is one module of this package, or another distribution's class under the entry-point group
    ``cladewise.methods``. The engine asks a method for its parts and never for its name.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    citation: ClassVar[Citation]

    @abstractmethod
    def head(self, taxonomy: Taxonomy, num_features: int) -> Head:
        """Features to a prediction."""

    @abstractmethod
    def loss(self, taxonomy: Taxonomy) -> Loss:
        """Logits and target nodes to nats per image."""

    @abstractmethod
    def decision(self) -> Decision:
        """The rule that the paper decides by."""

    def inference(self) -> Inference | None:
        """The rule between the head's prediction and the decision, where the paper has one."""
        return None

    def watched(self) -> Decision:
        """The rule that accuracy on the validation split is told by while training.

        The method's own, or the best leaf where that has something to learn first.
        """
        own = self.decision()
        return Leaf() if isinstance(own, Fittable) and not own.is_fitted else own

    def towers(self, taxonomy: Taxonomy) -> int:
        """Number of encoders, each trained for itself, where training is end to end.

        With several the head is given features ``[batch, tower, feature]``. A frozen encoder is always one, and the
        head is given ``[batch, feature]``.
        """
        return 1

    def views(self) -> int:
        """Augmented copies of each image in a training batch, for losses that compare them.

        The rows of a batch are then views, those of one image next to each other. Of a frozen encoder they are drawn
        from the cached ones (``[backbone] views``); one that is cached alone stands for all.
        """
        return 1

    def momentum(self) -> float:
        """Share of itself that a slow copy of the network keeps in every step, in [0, 1); 0: there is none."""
        return 0.0

    def objective(self, taxonomy: Taxonomy, nodes: IntArray) -> Objective | None:
        """What training minimises, where that is not the mean of :meth:`loss`, which then only watches validation.

        Args:
            taxonomy: The label tree.
            nodes: Label of every image of the data set, by its number; -1 where it is not trained on.
        """
        return None

    def pooling(self) -> Pooling:
        """How an encoder that is trained end to end makes one vector of its feature map.

        Features of a frozen encoder are cached for all methods, and are always pooled as the encoder itself does.
        """
        return "own"

    def training(self) -> Mapping[str, Any]:
        """Settings of ``[training]`` that the paper has and that hold where nobody chose others."""
        return {}

    def check_untrained(self, backbone: str) -> None:
        """Asked where nothing is to be trained (``--epochs 0``): refuse where an untrained network is meant to answer.

        Args:
            backbone: Name of the image encoder.

        Raises:
            InputError: It could not, with this encoder.
        """
        return

    def options(self) -> dict[str, Any]:
        """Hyper-parameters by name."""
        return {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
