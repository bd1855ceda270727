"""A method is a composition: a head, a loss, an inference, a decision, and where it was published."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

from cladewise.decisions import Decision
from cladewise.heads import Head
from cladewise.inference import Inference
from cladewise.losses import Loss
from cladewise.taxonomy import Taxonomy


@dataclasses.dataclass(frozen=True)
class Citation:
    """Where a method was published."""

    authors: str
    title: str
    venue: str
    year: int
    url: str

    def __str__(self) -> str:
        return f"{self.authors}. {self.title}. {self.venue} {self.year}. {self.url}"


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

    def options(self) -> dict[str, Any]:
        """Hyper-parameters by name."""
        return {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
