"""Small photographs for pictures."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cladewise.datasets import Dataset
from cladewise.datasets.files.decoding import UnreadableImageError, decode


def photograph(dataset: Dataset, index: int, side: int) -> NDArray[np.uint8]:
    """An image of a data set, at most ``side`` pixels wide and high; grey where it can no longer be read.

    Args:
        dataset: The data.
        index: Which image.
        side: Longest side in pixels.

    Returns:
        ``[height, width, 3]``.
    """
    try:
        picture = decode(dataset.root / dataset.paths[index], size=side)
    except UnreadableImageError:
        return np.full((side, side, 3), 225, dtype=np.uint8)
    picture.thumbnail((side, side), Image.Resampling.LANCZOS)
    return np.asarray(picture, dtype=np.uint8)
