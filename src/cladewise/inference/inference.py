"""What inference is: a prediction in, a better one out, nothing retrained."""

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

    @property
    def handle(self) -> str:
        """The name with the parameters that differ from their defaults: ``diffusion-0.5``."""
        return catalogue.handle(self)

    @abstractmethod
    def __call__(self, prediction: Prediction) -> Prediction:
        """Infer for every image of the batch."""

    def about(self, prediction: Prediction) -> dict[str, str]:
        """What the rule does to such a prediction that its parameters do not say; to be kept with the result."""
        return {}
