"""Crops of images: boxes with padding, and squares around them."""

from __future__ import annotations

import math
from collections.abc import Callable

from PIL import Image

from cladewise.datasets.files.decoding import decode
from cladewise.sources.source import Box


def padded(box: Box, padding: float) -> Box:
    """A box with a margin on each side, cut at the edges of the image.

    Args:
        box: Left, top, width and height as fractions of the image.
        padding: Margin as a share of the box's width and height.

    Example:
        >>> padded((0.25, 0.0, 0.5, 0.5), 0.25)
        (0.125, 0.0, 0.75, 0.625)
    """
    left, top, width, height = box
    first, last = max(0.0, left - padding * width), min(1.0, left + (1 + padding) * width)
    upper, lower = max(0.0, top - padding * height), min(1.0, top + (1 + padding) * height)
    return first, upper, last - first, lower - upper


def square_pixels(box: Box, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """The smallest square around a box, as left, top, right and bottom in pixels.

    The square is moved into the image where it would leave it; where it is larger than the image, it is cut.

    Args:
        box: Left, top, width and height as fractions of the image.
        size: Width and height of the image in pixels.

    Example:
        >>> square_pixels((0.0, 0.4, 0.1, 0.2), (200, 100))
        (0, 40, 20, 60)
        >>> square_pixels((0.9, 0.0, 0.1, 1.0), (200, 100))
        (100, 0, 200, 100)
    """
    left, top, width, height = (value * size[axis % 2] for axis, value in enumerate(box))
    side = max(1, math.ceil(max(width, height) - 1e-6))
    edges: list[tuple[int, int]] = []
    for start, length, whole in ((left, width, size[0]), (top, height, size[1])):
        first = round(start + length / 2 - side / 2)
        first = max(0, min(first, whole - side))
        edges.append((first, min(first + side, whole)))
    return edges[0][0], edges[1][0], edges[0][1], edges[1][1]


def square_crop(read: Callable[[], bytes], name: str, box: Box) -> Image.Image:
    """The square around a box, cut out of the upright image.

    Raises:
        UnreadableImageError: The image cannot be read or decoded.
    """
    image = decode(name, content=read())
    return image.crop(square_pixels(box, image.size))
