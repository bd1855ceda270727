"""Reading regular files, plain or gzipped, up to a size limit."""

from __future__ import annotations

import gzip
import io
import os
import stat
import zlib
from pathlib import Path
from typing import BinaryIO

from cladewise.errors import InputError

GZIP = b"\x1f\x8b"
GIBIBYTE = 2**30
MAX_BYTES = 4 * GIBIBYTE
_CHUNK = 2**24
_BYTE_ORDER_MARKS = {
    b"\xff\xfe\x00\x00": "UTF-32",
    b"\x00\x00\xfe\xff": "UTF-32",
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
}


def read_bytes(path: Path, *, limit: int = MAX_BYTES) -> bytes:
    """Read a regular file, and decompress it if its first bytes are those of gzip, whatever its name.

    Args:
        path: The file.
        limit: Most bytes to return; a larger file is refused before more than this is in memory.

    Raises:
        InputError: The file is missing, unreadable, larger than the limit, a folder, pipe or device, or damaged gzip.

    Example:
        >>> import gzip
        >>> path = getfixture("tmp_path") / "classes.csv"
        >>> _ = path.write_bytes(gzip.compress(b"group,kind"))
        >>> read_bytes(path)
        b'group,kind'
    """
    try:
        # a pipe without a writer would block an ordinary open for ever
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        with open(handle, "rb") as file:
            status = os.fstat(handle)
            if not stat.S_ISREG(status.st_mode):
                advice = "Save it to a file first."
                raise InputError("a regular file", "a pipe or a device", at=str(path), advice=advice)
            data = _up_to(limit, file, first=status.st_size + 1)
    except IsADirectoryError as error:
        raise InputError("a file", "a folder", at=str(path)) from error
    except OSError as error:
        raise InputError("a file that can be read", error.strerror or "an error", at=str(path)) from error
    if data.startswith(GZIP):
        data = _unpacked(data, path, limit)
    if len(data) > limit:
        raise _too_large(path, limit)
    return data


def read_text(path: Path, *, limit: int = MAX_BYTES) -> str:
    """Read UTF-8 text, plain or gzipped, with or without a byte order mark.

    Raises:
        InputError: The file cannot be read (see :func:`read_bytes`), or a byte is not UTF-8; the message names the line
            and the byte.
    """
    data = read_bytes(path, limit=limit)
    advice = "Save the file as UTF-8."
    for mark, name in _BYTE_ORDER_MARKS.items():
        if data.startswith(mark):
            raise InputError("UTF-8 text", name, at=f"{path}:1", advice=advice)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        wrong = f"byte 0x{data[error.start]:02X}"
        raise InputError("UTF-8 text", wrong, at=f"{path}:{line}", advice=advice) from error


def _up_to(limit: int, file: BinaryIO | gzip.GzipFile, *, first: int = _CHUNK) -> bytes:
    """Read in chunks, up to one byte beyond the limit; a single read would allocate the whole limit at once.

    A first chunk with the whole file is returned without a second copy of it.
    """
    pieces: list[bytes] = []
    left = limit + 1
    while left > 0 and (piece := file.read(min(left, max(first, _CHUNK) if not pieces else _CHUNK))):
        pieces.append(piece)
        left -= len(piece)
    return b"".join(pieces)


def _unpacked(data: bytes, path: Path, limit: int) -> bytes:
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as file:
            return _up_to(limit, file)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError("whole gzip data", f"an error: {error}", at=str(path)) from error


def _too_large(path: Path, limit: int) -> InputError:
    size = f"{limit / GIBIBYTE:g} GiB" if limit >= GIBIBYTE else f"{limit / 2**20:g} MiB"
    advice = "Write the tree as a Parquet table, which is read in less memory."
    return InputError(f"at most {size} to read", "more", at=str(path), advice=advice)
