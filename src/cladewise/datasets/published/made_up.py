"""Made-up pictures for files in the layouts of published datasets."""

from __future__ import annotations

import colorsys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def picture(number: int, random: np.random.Generator, side: int = 64) -> NDArray[np.uint8]:
    """A noisy picture ``[side, side, 3]`` with a hue that depends on the class.

    Args:
        number: Number of the class.
        random: Source of the noise.
        side: Width and height in pixels.

    Example:
        >>> picture(3, np.random.default_rng(0), side=8).shape
        (8, 8, 3)
    """
    hue = (number * 0.61803398875) % 1.0  # multiples of the golden ratio lie apart for any number of classes
    colour = 255 * np.array(colorsys.hsv_to_rgb(hue, 0.6, 0.8))
    return np.clip(colour + random.normal(0, 25, (side, side, 3)), 0, 255).astype(np.uint8)


def write_picture(file: Path, number: int, random: np.random.Generator, side: int = 64) -> None:
    """Write a made-up picture, in the format of its suffix; its folder is made."""
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture(number, random, side)).save(file)
