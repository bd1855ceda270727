"""An image file of any kind becomes an 8-bit RGB picture, or a reason why it cannot."""

from __future__ import annotations

import os
import stat
import warnings
from functools import cache
from os import PathLike

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from cladewise.errors import InputError

MAX_PIXELS = 178_956_970
"""Images with more pixels are refused: half a gigabyte in RGB, and where Pillow itself suspects an attack."""

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "PPM", "AVIF", "JPEG2000", "ICO", "TGA", "PCX", "QOI", "SGI")
"""Formats that are tried, by content. The others that Pillow knows are rare, or not pictures (EPS runs a program)."""

_ORIENTATION = 0x0112  # the EXIF tag
_METADATA = {"exif", "xmp", "XML:com.adobe.xmp", "Raw profile type exif"}  # where Pillow looks for it


class UnreadableImageError(InputError):
    """A file that cannot be decoded to a picture.

    Example:
        >>> print(UnreadableImageError("a.jpg", "an empty file"))
        Expected an image that can be decoded, but got an empty file at a.jpg.
    """

    def __init__(self, path: str | PathLike[str], reason: str) -> None:
        self.path, self.reason = os.fspath(path), reason
        super().__init__("an image that can be decoded", reason, at=self.path)

    def __reduce__(self) -> tuple[object, ...]:
        return (UnreadableImageError, (self.path, self.reason))


def decode(path: str | PathLike[str], *, size: int | None = None, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """Decode a file to an RGB picture, upright, on white; of an animation the first frame.

    The content decides the format, not the name. Sixteen-bit, integer and floating-point greys are scaled to 8 bits.
    Colour profiles are left alone, as the usual training pipelines do.

    Args:
        path: The file.
        size: Side in pixels that will be needed. A JPEG is then decoded at the smallest of 1, 1/2, 1/4 and 1/8 of its
            size that leaves both sides at least this long, which is several times faster.
        max_pixels: Images with more pixels than this are refused.

    Raises:
        UnreadableImageError: The file is missing, empty, broken, truncated, too large, or not an image.

    Example:
        >>> path = getfixture("tmp_path") / "a.png"
        >>> Image.new("LA", (4, 3), (0, 0)).save(path)
        >>> decode(path).mode, decode(path).getpixel((0, 0))
        ('RGB', (255, 255, 255))
    """
    _check_file(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Pillow's: sizes that are checked here, and metadata that is not used
        try:
            with Image.open(path, formats=_known_formats()) as image:
                _check_size(path, image, max_pixels)
                if size is not None:
                    image.draft(None, (size, size))
                image.load()
                return _to_rgb(_upright(image))
        except UnreadableImageError:
            raise
        except Exception as error:  # decoders meet hostile bytes, and raise nearly every kind of error on them
            raise UnreadableImageError(path, _reason(path, error)) from error


def probe(path: str | PathLike[str], *, max_pixels: int = MAX_PIXELS) -> str | None:
    """Why a file cannot be an image, from its header alone; None if nothing speaks against it.

    Example:
        >>> path = getfixture("tmp_path") / "a.jpg"
        >>> _ = path.write_bytes(b"")
        >>> probe(path)
        'an empty file'
    """
    try:
        _check_file(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path, formats=_known_formats()) as image:
                _check_size(path, image, max_pixels)
    except UnreadableImageError as error:
        return error.reason
    except Exception as error:  # as in decode
        return _reason(path, error)
    return None


@cache
def _known_formats() -> tuple[str, ...]:
    Image.init()
    return tuple(name for name in FORMATS if name in Image.OPEN)  # a Pillow may be built without some


def _check_file(path: str | PathLike[str]) -> None:
    try:
        status = os.stat(path)
    except FileNotFoundError:
        reason = "a link to a missing file" if os.path.islink(path) else "no such file"
        raise UnreadableImageError(path, reason) from None
    except PermissionError:
        raise UnreadableImageError(path, "a file that may not be read") from None
    except (OSError, ValueError) as error:  # a name that is too long, or holds a null character
        detail = error.strerror if isinstance(error, OSError) else str(error)
        raise UnreadableImageError(path, f"a path that cannot be opened ({detail})") from error
    if not stat.S_ISREG(status.st_mode):  # opening a pipe would wait for ever
        raise UnreadableImageError(path, "a folder" if stat.S_ISDIR(status.st_mode) else "a special file")
    if status.st_size == 0:
        raise UnreadableImageError(path, "an empty file")


def _check_size(path: str | PathLike[str], image: Image.Image, max_pixels: int) -> None:
    width, height = image.size
    if width * height > max_pixels:
        raise UnreadableImageError(path, _too_large(f"{width} x {height} pixels", max_pixels))


def _too_large(size: str, max_pixels: int) -> str:
    return f"an image of {size}, more than the limit of {max_pixels / 1e6:.0f} megapixels"


def _reason(path: str | PathLike[str], error: Exception) -> str:
    if isinstance(error, Image.DecompressionBombError):
        pixels = next((int(word[1:]) for word in str(error).split() if word[1:].isdecimal()), 0)
        return _too_large(f"{pixels / 1e6:.0f} megapixels", min(MAX_PIXELS, 2 * (Image.MAX_IMAGE_PIXELS or MAX_PIXELS)))
    if isinstance(error, PermissionError):
        return "a file that may not be read"
    if isinstance(error, UnidentifiedImageError):
        with open(path, "rb") as file:
            return f"not an image of a known format (it begins with {file.read(12)!r})"
    detail = str(error) or type(error).__name__
    return f"a truncated image ({detail})" if "truncated" in detail.lower() else f"a broken image ({detail})"


def _upright(image: Image.Image) -> Image.Image:
    if image.format != "TIFF" and _METADATA.isdisjoint(image.info):
        return image
    try:
        turned = image.getexif().get(_ORIENTATION, 1) != 1
    except Exception:  # broken metadata is no reason to lose the picture
        return image
    return ImageOps.exif_transpose(image) if turned else image


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    if image.mode in ("I", "F") or image.mode.startswith("I;"):
        return _scaled_to_8_bits(image).convert("RGB")
    if image.has_transparency_data:
        drawing = image.convert("RGBA")
        if drawing.getchannel("A").getextrema() == (255, 255):
            return drawing.convert("RGB")
        return Image.alpha_composite(Image.new("RGBA", drawing.size, "white"), drawing).convert("RGB")
    return image.convert("RGB")


def _scaled_to_8_bits(image: Image.Image) -> Image.Image:
    """Scale a deep grey so that its white becomes 255.

    Sixteen-bit files state their white. Integer and floating-point ones do not: it is the least of 1, 255 and 65535
    that no value exceeds, else the largest value.
    """
    values = np.nan_to_num(np.asarray(image, dtype=np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    top = float(values.max(initial=0.0))
    whites = (65535.0,) if image.mode.startswith("I;16") else (1.0, 255.0, 65535.0, top)
    white = next(white for white in whites if top <= white)
    return Image.fromarray(np.rint(values.clip(0.0) * (255.0 / white)).astype(np.uint8))
