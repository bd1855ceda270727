"""A map laid over its picture."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, UInt8
from matplotlib import colormaps
from numpy.typing import NDArray

COLORS = "inferno"
DIMMED = 0.45
"""Brightness of the picture where the map is 0."""
STRONGEST = 0.6
"""Share of the map's colour where it is 1: what is under it can still be told."""


def overlay(picture: UInt8[np.ndarray, "height width 3"], heat: Float[np.ndarray, "height width"]) -> NDArray[np.uint8]:
    """The picture, dim where the map is 0, and in the map's colours the more the greater the map.

    Args:
        picture: An RGB picture.
        heat: Values in [0, 1].

    Example:
        >>> white = np.full((1, 2, 3), 255, dtype=np.uint8)
        >>> overlay(white, np.array([[0.0, 1.0]])).tolist()
        [[[115, 115, 115], [253, 255, 201]]]
    """
    colors = colormaps[COLORS](heat)[..., :3]
    share = STRONGEST * heat[..., None]
    bright = DIMMED + (1 - DIMMED) * np.sqrt(heat)[..., None]
    mixed = (1 - share) * bright * (picture / 255) + share * colors
    return np.rint(255 * mixed).clip(0, 255).astype(np.uint8)
