"""Base class of inference rules."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from typing import ClassVar

from cladewise import catalogue
from cladewise.predictions import Prediction


@dataclasses.dataclass(frozen=True)
class Inference(ABC):
    """A rule from predictions to predictions. Its fields are its parameters; its ``name`` is its handle."""

    name: ClassVar[str]
    revision: ClassVar[int] = 1
    """Raised when the rule changes what it does with the same parameters: what was fitted after it is fitted again."""

    @property
    def handle(self) -> str:
        """The name with the parameters that differ from their defaults: ``diffusion-0.5``."""
        return catalogue.handle(self)

    @abstractmethod
    def __call__(self, prediction: Prediction) -> Prediction:
        """Infer for every image of the batch."""

    def about(self, prediction: Prediction) -> dict[str, str]:
        """Facts about what the rule does to this prediction that its parameters do not tell; stored with the result."""
        return {}
