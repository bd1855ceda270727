"""What inference is: a prediction in, a better one out, nothing retrained."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from typing import ClassVar

from cladewise.predictions import Prediction


@dataclasses.dataclass(frozen=True)
class Inference(ABC):
    """A rule from predictions to predictions. Its fields are its parameters; its ``name`` is its handle."""

    name: ClassVar[str]

    @abstractmethod
    def __call__(self, prediction: Prediction) -> Prediction:
        """Infer for every image of the batch."""
