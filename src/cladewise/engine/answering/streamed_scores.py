"""Scores that are not held in memory, but computed or read part by part in every pass over them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from cladewise.predictions import Prediction


class StreamedScores(Protocol):
    """Scores of many images, made one part after another: by a head from features, or read from a file of scores."""

    in_order: ClassVar[bool] = False
    """Whether images can be asked for in ascending order alone."""

    @property
    def bytes_per_image(self) -> int:
        """Size of the scores of an image, of which a sample of bounded size can be taken."""
        ...

    def parts(self, index: NDArray[np.int64]) -> Iterator[Prediction]:
        """The predictions of some images, one part after another.

        Args:
            index: Indices of the images, as in :attr:`Scored.index`.
        """
        ...
