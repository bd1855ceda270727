"""Small pictures that live inside the page."""

from __future__ import annotations

import base64
import io
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

LONGEST_SIDE = 128
BACKGROUND = (255, 255, 255)


@lru_cache(maxsize=4096)
def thumbnail(file: Path, side: int = LONGEST_SIDE) -> str | None:
    """The picture as a ``data:`` address of a JPEG at most ``side`` pixels wide and high; ``None`` where it has none.

    The first frame is shown as the camera held it; transparency is laid over white. A picture is an illustration
    here, so whatever a decoder makes of a broken file ends in the placeholder and not in an error.
    """
    try:
        with Image.open(file) as image:
            image.draft("RGB", (2 * side, 2 * side))
            small = _as_rgb(ImageOps.exif_transpose(image), side)
    except (OSError, ValueError, SyntaxError, EOFError, MemoryError, Image.DecompressionBombError):
        return None
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


def _as_rgb(image: Image.Image, side: int) -> Image.Image:
    """Shrunk, 8 bits a channel, on the background."""
    if image.mode.startswith("I") or image.mode == "F":
        image = _stretched(image)
    has_alpha = image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info
    image = image.convert("RGBA" if has_alpha else "RGB")
    image.thumbnail((side, side))
    if not has_alpha:
        return image
    under = Image.new("RGBA", image.size, (*BACKGROUND, 255))
    return Image.alpha_composite(under, image).convert("RGB")


def _stretched(image: Image.Image) -> Image.Image:
    """Samples of more than 8 bits, between their least and their greatest."""
    samples = np.nan_to_num(np.asarray(image, dtype=np.float64))
    low, high = samples.min(), samples.max()
    return Image.fromarray(np.uint8(255 * (samples - low) / max(high - low, 1.0)))
