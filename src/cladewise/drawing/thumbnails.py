"""Images scaled down, as ``data:`` URLs for HTML pages and as arrays for figures."""

from __future__ import annotations

import base64
import io
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cladewise.datasets import Dataset
from cladewise.datasets.files.decoding import UnreadableImageError, decode

LONGEST_SIDE = 128


@lru_cache(maxsize=4096)
def thumbnail(file: Path, side: int = LONGEST_SIDE) -> str | None:
    """A photograph as the ``data:`` URL of a JPEG at most ``side`` pixels wide and high.

    Returns:
        The URL, or ``None`` if the file cannot be read: thumbnails are illustrations, and pages show a placeholder.
    """
    try:
        small = decode(file, size=2 * side)
    except UnreadableImageError:
        return None
    small.thumbnail((side, side))
    content = io.BytesIO()
    small.save(content, "JPEG", quality=82, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(content.getvalue()).decode("ascii")


def drawing_thumbnail(file: Path, widest: int) -> str | None:
    """A drawing as the ``data:`` URL of a WebP at most ``widest`` pixels wide; ``None`` if it cannot be read.

    A JPEG would blur the thin lines and small letters of drawings, and an SVG with thousands of dots would be larger.
    """
    try:
        with Image.open(file) as image:
            small = image.convert("RGB")
            small.thumbnail((widest, small.height), Image.Resampling.LANCZOS)
    except (OSError, ValueError, SyntaxError, EOFError, MemoryError, Image.DecompressionBombError):
        return None
    content = io.BytesIO()
    small.save(content, "WEBP", quality=88, method=4)
    return "data:image/webp;base64," + base64.b64encode(content.getvalue()).decode("ascii")


def thumbnail_pixels(dataset: Dataset, index: int, side: int) -> NDArray[np.uint8]:
    """An image of a dataset, at most ``side`` pixels wide and high; grey if it can no longer be read.

    Args:
        dataset: The data.
        index: Index of the image.
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
