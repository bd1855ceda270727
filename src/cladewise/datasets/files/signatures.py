"""The common name of a file's kind by its first bytes, for files that cannot be decoded."""

from __future__ import annotations

HEAD_BYTES = 512
"""Number of bytes that :func:`kind_of` looks at."""

_IMAGES: tuple[tuple[int, bytes, str], ...] = (
    (0, b"\xff\xd8\xff", "JPEG"),
    (0, b"\x89PNG\r\n\x1a\n", "PNG"),
    (0, b"GIF8", "GIF"),
    (0, b"II*\0", "TIFF"),
    (0, b"MM\0*", "TIFF"),
    (8, b"WEBPVP8", "WebP"),
)
_SUFFIXES = {"JPEG": ".jpg", "PNG": ".png", "GIF": ".gif", "TIFF": ".tif", "WebP": ".webp"}
_RARE_SUFFIXES = {"HEIC": ".heic", "AVIF": ".avif", "JPEG XL": ".jxl"}
_OTHERS: tuple[tuple[int, bytes, str], ...] = (
    (8, b"AVI ", "a video (extract its frames)"),
    (0, b"\x1aE\xdf\xa3", "a video (extract its frames)"),
    (0, b"\0\0\x01\xba", "a video (extract its frames)"),
    (0, b"\0\0\x01\xb3", "a video (extract its frames)"),
    (0, b"FLV\x01", "a video (extract its frames)"),
    (0, b"FUJIFILMCCD-RAW", "a raw photograph (export it as JPEG)"),
    (0, b"IIRO", "a raw photograph (export it as JPEG)"),
    (0, b"IIU\0", "a raw photograph (export it as JPEG)"),
    (0, b"FOVb", "a raw photograph (export it as JPEG)"),
    (0, b"8BPS", "a Photoshop document (export it as PNG)"),
    (0, b"gimp xcf", "a GIMP document (export it as PNG)"),
    (0, b"II\xbc\x01", "a JPEG XR image (convert it to JPEG)"),
    (0, b"BPG\xfb", "a BPG image (convert it to JPEG)"),
    (0, b"v/1\x01", "an OpenEXR image (convert it to TIFF)"),
    (0, b"#?RADIANCE", "a Radiance HDR image (convert it to TIFF)"),
    (0, b"DDS ", "a DDS texture (convert it to PNG)"),
    (0, b"icns", "an Apple icon (convert it to PNG)"),
    (128, b"DICM", "a DICOM file (export its image as PNG)"),
    (0, b"SIMPLE  =", "a FITS file (export its image as PNG)"),
    (0, b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
    (0, b"\x93NUMPY", "a NumPy array (save it as an image)"),
    (0, b"PAR1", "a Parquet table"),
    (0, b"%PDF", "a PDF document (export its pages as images)"),
    (0, b"%!PS", "a PostScript drawing (export it as PNG)"),
    (0, b"PK\x03\x04", "a ZIP archive, or a document in one (unpack it)"),
    (0, b"\x1f\x8b", "a gzip archive (unpack it)"),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7z archive (unpack it)"),
    (0, b"Rar!", "a RAR archive (unpack it)"),
    (257, b"ustar", "a tar archive (unpack it)"),
    (0, b"version https://git-lfs", "a Git LFS pointer in place of the image (fetch it: git lfs pull)"),
    (0, b"\0\0\0\0Mac OS X", "a macOS file without content"),
    (0, b"\0\x05\x16\x07", "a macOS metadata file (AppleDouble)"),
)
_BRANDS = {
    **dict.fromkeys((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"), "HEIC"),
    **dict.fromkeys((b"avif", b"avis"), "AVIF"),
    b"crx ": "a raw photograph (export it as JPEG)",
}
_JPEG_XL = (b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n")
_TO_READ = {
    "HEIC": "pip install pillow-heif",
    "AVIF": "pip install --upgrade pillow",
    "JPEG XL": "pip install pillow-jxl-plugin",
}


def kind_of(head: bytes, known: frozenset[str] = frozenset()) -> str | None:
    """Kind of a file that cannot be decoded, as the reason for skipping it; None if unknown.

    Args:
        head: The first :data:`HEAD_BYTES` of the file.
        known: The formats among HEIC, AVIF and JPEG XL that can be decoded here.

    Example:
        >>> kind_of(b"%PDF-1.7")
        'a PDF document (export its pages as images)'
        >>> kind_of(b"\\0\\0\\0\\x18ftypheic")
        'a HEIC image (to read it: pip install pillow-heif)'
    """
    for name in (_boxed(head), _named(head, _IMAGES)):
        if name in known or (name and name not in _TO_READ and " " not in name):
            return f"a broken {name} image (its header cannot be read)"
        if name in _TO_READ:
            return f"{'an' if name[0] == 'A' else 'a'} {name} image (to read it: {_TO_READ[name]})"
        if name:
            return name
    return _named(head, _OTHERS) or _text(head)


def image_suffix(head: bytes, *, rare: bool = False) -> str:
    """The usual ending of a file name for an image by its first bytes; blank for a rare format.

    Args:
        head: The first :data:`HEAD_BYTES` of the file.
        rare: Whether HEIC, AVIF, JPEG XL and BMP have an ending too.

    Example:
        >>> image_suffix(b"\\xff\\xd8\\xff..."), image_suffix(b"BM..."), image_suffix(b"BM...", rare=True)
        ('.jpg', '', '.bmp')
    """
    found = _SUFFIXES.get(_named(head, _IMAGES) or "", "")
    if found or not rare:
        return found
    return ".bmp" if head.startswith(b"BM") else _RARE_SUFFIXES.get(_boxed(head) or "", "")


def _boxed(head: bytes) -> str | None:
    if head.startswith(_JPEG_XL):
        return "JPEG XL"
    if head[4:8] != b"ftyp":
        return None
    return _BRANDS.get(head[8:12], "a video (extract its frames)")


def _named(head: bytes, marks: tuple[tuple[int, bytes, str], ...]) -> str | None:
    return next((name for offset, mark, name in marks if head.startswith(mark, offset)), None)


def _text(head: bytes) -> str | None:
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if b"<svg" in start:
        return "an SVG drawing (export it as PNG)"
    if start.startswith((b"<!doctype html", b"<html")):
        return "a web page"
    return None
