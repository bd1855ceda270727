"""Decoding image files of any kind to 8-bit RGB, with a reason for each that cannot be decoded."""

from __future__ import annotations

import importlib
import importlib.util
import os
import stat
import threading
import warnings
from collections.abc import Callable, Collection, Iterator
from functools import cache, partial
from io import BufferedReader, BytesIO
from os import PathLike

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from cladewise.datasets.files.signatures import HEAD_BYTES, kind_of
from cladewise.errors import InputError

MAX_BYTES = 1_000_000_000
"""Default limit on the memory for decoding an image, in bytes."""

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "PPM", "AVIF", "JPEG2000", "ICO", "TGA", "PCX", "QOI", "SGI")
"""Formats to try. Pillow's others are rare, or not images (EPS runs a program)."""

PLUGINS = {"HEIF": ("HEIC", "pillow_heif"), "JXL": ("JPEG XL", "pillow_jxl")}
"""Formats to try if their Pillow plug-in is installed: common name and package of each."""

PHOTOGRAPHS = frozenset(
    (".heic", ".heif", ".hif", ".avif", ".jxl", ".psd", ".dng", ".cr2", ".cr3", ".nef", ".arw", ".raf", ".orf", ".rw2")
)
"""Suffixes of photographs, readable or not."""

_PILLOW_MAX_PIXELS = 178_956_970  # twice Pillow's own limit, beyond which it raises an error
_STRIP_PIXELS = 1 << 22  # converted at once
_BYTES = {
    "1": 1,
    "L": 1,
    "P": 1,
    "I;16": 2,
    "I;16L": 2,
    "I;16B": 2,
    "I;16N": 2,
}  # bytes per pixel in Pillow; 4 in other modes
_DECODERS = {"WEBP": 12, "JPEG2000": 21, "AVIF": 8, "HEIF": 8, "JXL": 12, "TIFF": 6, "PPM": 8, "SGI": 4, "QOI": 8}
"""Bytes per pixel that decoders need in addition to the image, as measured; other decoders work line by line."""
_COEFFICIENTS = 2  # bytes per pixel and channel in the coefficient buffer of a progressive JPEG

_EMPTY = "an empty file"
_ORIENTATION = 0x0112  # the EXIF tag
_SUBFILE = 254  # the TIFF tag NewSubfileType
_METADATA = {"exif", "xmp", "XML:com.adobe.xmp", "Raw profile type exif"}  # where Pillow looks for the orientation


class UnreadableImageError(InputError):
    """A file that cannot be decoded as an image.

    Example:
        >>> print(UnreadableImageError("a.jpg", "an empty file"))
        Expected an image that can be decoded, but got an empty file at a.jpg.
    """

    def __init__(self, path: str | PathLike[str], reason: str) -> None:
        self.path, self.reason = os.fspath(path), reason
        super().__init__("an image that can be decoded", reason, at=self.path)

    def __reduce__(self) -> tuple[object, ...]:
        return (UnreadableImageError, (self.path, self.reason))


def decode(
    path: str | PathLike[str],
    *,
    size: int | tuple[int, int] | None = None,
    max_bytes: int = MAX_BYTES,
    max_pixels: int | None = None,
    formats: Collection[str] | None = None,
    content: bytes | None = None,
) -> Image.Image:
    """Decode a file to an upright RGB image on white; the first frame of an animation.

    The format is detected from the content, not the name. Sixteen-bit, integer and floating-point greys are scaled to 8
    bits. Colour profiles are ignored, as in common training pipelines. HEIC and JPEG XL are read where the packages
    ``pillow-heif`` and ``pillow-jxl-plugin`` are installed.

    Args:
        path: The file.
        size: Required side in pixels, or width and height. A JPEG is then decoded at the smallest of 1, 1/2, 1/4 and
            1/8 of its size with both sides at least this long, which is several times faster.
        max_bytes: Limit on the memory for decoding at full size; larger images are refused.
        max_pixels: Limit on the number of pixels, as the header gives it; ``None`` for none.
        formats: Pillow's names of the formats to accept; ``None`` for all of :func:`known_formats`.
        content: The bytes of the file, if they have been read already or came from elsewhere; ``path`` then only names
            the image in errors.

    Raises:
        UnreadableImageError: The file is missing, empty, broken, truncated, too large, or not an image.

    Example:
        >>> path = getfixture("tmp_path") / "a.png"
        >>> Image.new("LA", (4, 3), (0, 0)).save(path)
        >>> decode(path).mode, decode(path).getpixel((0, 0))
        ('RGB', (255, 255, 255))
    """
    if content is None:
        _check_file(path)
    elif not content:
        raise UnreadableImageError(path, _EMPTY)
    tried = known_formats() if formats is None else tuple(name for name in known_formats() if name in formats)
    with _QUIET:
        try:
            with Image.open(path if content is None else BytesIO(content), formats=tried) as image:
                _check_pixels(path, image, max_pixels)
                _check(path, image, max_bytes, content)
                if size is not None:
                    image.draft(None, size if isinstance(size, tuple) else (size, size))
                image.load()
                _check_pixels(path, image, max_pixels)
                _check(path, image, max_bytes, content)  # again, since the header of an icon does not give its size
                upright = _upright(image)
                if upright is not image:
                    image.close()  # to release its pixels before the next step
                return _to_rgb(upright)
        except UnreadableImageError:
            raise
        except Exception as error:  # decoders raise nearly every kind of error on hostile bytes
            reason = _reason(path, error, content)
            if formats is not None and isinstance(error, UnidentifiedImageError) and "broken" in reason:
                reason = f"an image that is broken or of a format other than {', '.join(sorted(tried))}"
            raise UnreadableImageError(path, reason) from error


def opened(path: str | PathLike[str]) -> BufferedReader:
    """Open an image file to read its bytes; a pipe or a folder is refused rather than waited for.

    Raises:
        UnreadableImageError: The file is missing, empty, not a regular file, or may not be read.

    Example:
        >>> path = getfixture("tmp_path") / "a.jpg"
        >>> _ = path.write_bytes(b"...")
        >>> with opened(path) as file:
        ...     file.read()
        b'...'
    """
    _check_file(path)
    try:
        return open(path, "rb")
    except PermissionError:
        raise UnreadableImageError(path, "a file that may not be read") from None
    except OSError as error:
        raise UnreadableImageError(path, f"a file that cannot be read ({error.strerror})") from error


def is_meant_as_image(path: str | PathLike[str]) -> bool:
    """Whether a file is an image by its content or at least by its name, so that a broken one should be reported.

    Example:
        >>> is_meant_as_image("gone.HEIC"), is_meant_as_image("README.md")
        (True, False)
    """
    return has_image_suffix(os.fspath(path)) or probe(path) is None


def has_image_suffix(name: str) -> bool:
    """Whether a name ends like that of an image, of a readable format or a photograph's.

    Example:
        >>> has_image_suffix("A.JPEG"), has_image_suffix("a.npy")
        (True, False)
    """
    return os.path.splitext(name)[1].lower() in _suffixes()


def read_file(path: str | PathLike[str], *, max_bytes: int = MAX_BYTES) -> bytes:
    """The bytes of an image file, for :func:`decode`.

    Raises:
        UnreadableImageError: The file is missing, empty, not an ordinary file, larger than the limit, or cannot be
            read.

    Example:
        >>> path = getfixture("tmp_path") / "a.jpg"
        >>> path.write_bytes(b"bytes"), read_file(path)
        (5, b'bytes')
    """
    size = _check_file(path)
    if size > max_bytes:
        reason = f"a file of {size / 1e9:.1f} GB, more than the limit of {max_bytes / 1e9:.1f} GB"
        raise UnreadableImageError(path, reason)
    try:
        with open(path, "rb") as file:
            return file.read()
    except PermissionError:
        raise UnreadableImageError(path, "a file that may not be read") from None
    except OSError as error:
        raise UnreadableImageError(path, f"a file that cannot be read ({error.strerror})") from error


def probe(path: str | PathLike[str], *, max_bytes: int = MAX_BYTES, content: bytes | None = None) -> str | None:
    """The reason why a file cannot be an image, from its header alone; None if it may be one.

    Args:
        path: The file.
        max_bytes: As in :func:`decode`.
        content: The bytes of the file, as in :func:`decode`.

    Example:
        >>> path = getfixture("tmp_path") / "a.jpg"
        >>> _ = path.write_bytes(b"")
        >>> probe(path)
        'an empty file'
    """
    try:
        if content is None:
            _check_file(path)
        elif not content:
            return _EMPTY
        with _QUIET, Image.open(path if content is None else BytesIO(content), formats=known_formats()) as image:
            _check(path, image, max_bytes, content)
    except UnreadableImageError as error:
        return error.reason
    except Exception as error:  # as in decode
        return _reason(path, error, content)
    return None


def stored_size(content: bytes) -> tuple[tuple[int, int], tuple[int, int]] | None:
    """Width and height of an encoded image as stored, and upright; None if they cannot be read.

    Example:
        >>> picture, buffer, turned = Image.new("RGB", (4, 3)), BytesIO(), Image.Exif()
        >>> turned[0x0112] = 6
        >>> picture.save(buffer, "JPEG", exif=turned)
        >>> stored_size(buffer.getvalue())
        ((4, 3), (3, 4))
    """
    try:
        with _QUIET, Image.open(BytesIO(content), formats=known_formats()) as image:
            width, height = image.size
            lies = image.getexif().get(_ORIENTATION, 1) in (5, 6, 7, 8) if _is_turned(image) else False
    except Exception:  # decode gives the reason
        return None
    return (width, height), (height, width) if lies else (width, height)


class _Quiet:
    """Silences Pillow, which warns about sizes, which are checked here, and about metadata that is not used.

    ``warnings.catch_warnings`` alone would not do: it restores a list of the whole process, which threads that decode
    at the same time would restore in the wrong order. Here the first one in sets the filter and the last one out
    removes it, and warnings from elsewhere are shown meanwhile.
    """

    _MODULES = r"(PIL|pillow_heif|pillow_jxl|cladewise\.datasets\.files\.decoding)\b"

    def __init__(self) -> None:
        self._lock, self._inside, self._filters = threading.Lock(), 0, warnings.catch_warnings()

    def __enter__(self) -> None:
        with self._lock:
            if self._inside == 0:
                self._filters = warnings.catch_warnings()
                self._filters.__enter__()
                warnings.filterwarnings("ignore", module=self._MODULES)
            self._inside += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                self._filters.__exit__(None, None, None)


_QUIET = _Quiet()


@cache
def _suffixes() -> frozenset[str]:
    known = known_formats()  # first, since it registers further extensions
    return frozenset(suffix for suffix, name in Image.registered_extensions().items() if name in known) | PHOTOGRAPHS


@cache
def known_formats() -> tuple[str, ...]:
    """Pillow's names of the formats that can be decoded here, in the order in which they are tried."""
    Image.init()
    for _, package in PLUGINS.values():
        if importlib.util.find_spec(package):
            plugin = importlib.import_module(package)
            getattr(plugin, "register_heif_opener", lambda: None)()  # the other registers itself
    return tuple(name for name in (*FORMATS, *PLUGINS) if name in Image.OPEN)  # some builds of Pillow lack formats


def _check_file(path: str | PathLike[str]) -> int:
    """The size of an ordinary file that is not empty."""
    try:
        status = os.stat(path)
    except FileNotFoundError:
        reason = "a link to a missing file" if os.path.islink(path) else "no such file"
        raise UnreadableImageError(path, reason) from None
    except PermissionError:
        raise UnreadableImageError(path, "a file that may not be read") from None
    except (OSError, ValueError) as error:  # a name that is too long or contains a null character
        detail = error.strerror if isinstance(error, OSError) else str(error)
        raise UnreadableImageError(path, f"a path that cannot be opened ({detail})") from error
    if not stat.S_ISREG(status.st_mode):  # opening a pipe would block
        raise UnreadableImageError(path, "a folder" if stat.S_ISDIR(status.st_mode) else "a special file")
    if status.st_size == 0:
        raise UnreadableImageError(path, _EMPTY)
    return status.st_size


def _check(path: str | PathLike[str], image: Image.Image, max_bytes: int, content: bytes | None = None) -> None:
    width, height = image.size
    needed = width * height * _bytes_per_pixel(image)
    if needed > max_bytes:
        size = f"an image of {width} x {height} pixels, which takes {needed / 1e9:.1f} GB to decode"
        raise UnreadableImageError(path, f"{size}, more than the limit of {max_bytes / 1e9:.1f} GB")
    if image.format == "TIFF" and _is_preview(image, _head(path, content)):
        raise UnreadableImageError(path, "a raw photograph, of which only a preview can be read (export it as JPEG)")


def _check_pixels(path: str | PathLike[str], image: Image.Image, most: int | None) -> None:
    width, height = image.size
    if most is not None and width * height > most:
        limit = f"the limit of {most / 1e6:.3g} megapixels"
        raise UnreadableImageError(path, f"an image of {width} x {height} pixels, more than {limit}")


def _bytes_per_pixel(image: Image.Image) -> int:
    """Peak number of bytes per pixel: in the decoder, decoded, and rotated or converted."""
    decoder = _DECODERS.get(image.format or "", 0)
    if "progressive" in image.info:
        decoder += _COEFFICIENTS * len(image.getbands())
    copied = _is_turned(image) or image.mode != "RGB" or "transparency" in image.info
    return decoder + _BYTES.get(image.mode, 4) + 4 * copied


def _is_preview(image: Image.Image, head: bytes) -> bool:
    """Whether a TIFF is a camera's raw file, whose first image is only a preview."""
    subfile = getattr(image, "tag_v2", {}).get(_SUBFILE, 0)
    return bool(isinstance(subfile, int) and subfile & 1) or head[8:10] == b"CR"


def _head(path: str | PathLike[str], content: bytes | None) -> bytes:
    if content is not None:
        return content[:HEAD_BYTES]
    with open(path, "rb") as file:
        return file.read(HEAD_BYTES)


def _reason(path: str | PathLike[str], error: Exception, content: bytes | None = None) -> str:
    if isinstance(error, Image.DecompressionBombError):
        pixels = next((int(word[1:]) for word in str(error).split() if word[1:].isdecimal()), 0)
        limit = min(_PILLOW_MAX_PIXELS, 2 * (Image.MAX_IMAGE_PIXELS or _PILLOW_MAX_PIXELS))
        size = f"an image of {pixels / 1e6:.0f} megapixels"
        return f"{size}, more than the limit of {limit / 1e6:.0f} megapixels"
    if isinstance(error, PermissionError):
        return "a file that may not be read"
    if isinstance(error, UnidentifiedImageError):
        return _unidentified(path, content)
    detail = " ".join(str(error).split())[:200] or type(error).__name__
    return f"a truncated image ({detail})" if "truncated" in detail.lower() else f"a broken image ({detail})"


def _unidentified(path: str | PathLike[str], content: bytes | None) -> str:
    try:
        head = _head(path, content)
    except OSError as error:
        return f"a file that cannot be read ({error.strerror})"
    names = {"AVIF": "AVIF", **{format_: name for format_, (name, _) in PLUGINS.items()}}
    decoded = frozenset(names[format_] for format_ in known_formats() if format_ in names)
    return kind_of(head, decoded) or f"not an image of a known format (it begins with {head[:12]!r})"


def _is_turned(image: Image.Image) -> bool:
    if image.format != "TIFF" and _METADATA.isdisjoint(image.info):
        return False
    try:
        return image.getexif().get(_ORIENTATION, 1) != 1
    except Exception:  # broken metadata is no reason to skip the image
        return False


def _upright(image: Image.Image) -> Image.Image:
    return ImageOps.exif_transpose(image) if _is_turned(image) else image


def _to_rgb(image: Image.Image) -> Image.Image:
    """Convert in strips, since some conversions hold five copies of their input."""
    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    convert = _conversion(image)
    picture = Image.new("RGB", image.size)
    for top, strip in _strips(image):
        picture.paste(convert(strip), (0, top))
    return picture


def _strips(image: Image.Image) -> Iterator[tuple[int, Image.Image]]:
    width, height = image.size
    rows = max(1, _STRIP_PIXELS // width)
    for top in range(0, height, rows):
        yield top, image.crop((0, top, width, min(top + rows, height)))


def _conversion(image: Image.Image) -> Callable[[Image.Image], Image.Image]:
    if image.mode in ("I", "F") or image.mode.startswith("I;"):
        return partial(_scaled_to_8_bits, white=_white(image))
    if image.has_transparency_data:
        return _on_white
    return lambda strip: strip.convert("RGB")


def _on_white(image: Image.Image) -> Image.Image:
    drawing = image.convert("RGBA")
    if drawing.getchannel("A").getextrema() == (255, 255):
        return drawing.convert("RGB")
    return Image.alpha_composite(Image.new("RGBA", drawing.size, "white"), drawing).convert("RGB")


def _white(image: Image.Image) -> float:
    """The grey value that maps to 255.

    It is fixed for 16-bit files. For integer and floating-point ones it is the smallest of 1, 255 and 65535 that no
    value exceeds, otherwise the largest value.
    """
    top = max((float(_values(strip).max(initial=0.0)) for _, strip in _strips(image)), default=0.0)
    whites = (65535.0,) if image.mode.startswith("I;16") else (1.0, 255.0, 65535.0, top)
    return next(white for white in whites if top <= white)


def _scaled_to_8_bits(image: Image.Image, *, white: float) -> Image.Image:
    return Image.fromarray(np.rint(_values(image).clip(0.0) * (255.0 / white)).astype(np.uint8)).convert("RGB")


def _values(image: Image.Image) -> NDArray[np.float32]:
    return np.nan_to_num(np.asarray(image, dtype=np.float32), nan=0.0, posinf=0.0, neginf=0.0)
