"""Small pictures that live inside the page."""

from __future__ import annotations

import base64
import io
from functools import lru_cache
from pathlib import Path

from PIL import Image

from cladewise.datasets.files.decoding import UnreadableImageError, decode

LONGEST_SIDE = 128


@lru_cache(maxsize=4096)
def thumbnail(file: Path, side: int = LONGEST_SIDE) -> str | None:
    """The picture as a ``data:`` address of a JPEG at most ``side`` pixels wide and high; ``None`` where it has none.

    A picture is an illustration here: a file that cannot be read ends in the placeholder and not in an error.
    """
    try:
        small = decode(file, size=2 * side)
    except UnreadableImageError:
        return None
    small.thumbnail((side, side))
    content = io.BytesIO()
    small.save(content, "JPEG", quality=82, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(content.getvalue()).decode("ascii")


def enclosed(file: Path, widest: int) -> str | None:
    """A drawing as a ``data:`` address of a WebP at most ``widest`` pixels wide; ``None`` where there is none.

    Drawings have thin lines and small letters, which a JPEG blurs, and may have thousands of dots, which an SVG lists.
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
