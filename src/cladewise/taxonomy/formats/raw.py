"""Bytes of a text file: regular files only, unpacked where they are gzipped, never more than a bound."""

from __future__ import annotations

import gzip
import stat
import zlib
from pathlib import Path

from cladewise.errors import InputError

MAX_BYTES = 2**30
GZIP = b"\x1f\x8b"
PARQUET = b"PAR1"
FOREIGN = {
    b"PK\x03\x04": "a zip archive or a spreadsheet (.xlsx, .ods)",
    b"\xd0\xcf\x11\xe0": "an old spreadsheet (.xls)",
    b"%PDF": "a PDF",
    b"SQLite format 3": "an SQLite database",
    b"\x89HDF": "an HDF5 file",
    b"BZh": "a file packed with bzip2",
    b"\xfd7zXZ": "a file packed with xz",
    b"\x28\xb5\x2f\xfd": "a file packed with zstd",
    b"\x80\x04\x95": "a pickle",
    b"\x80\x05\x95": "a pickle",
}
"""Beginnings of files that are often handed in for tables."""


def regular(path: Path) -> None:
    """Refuse pipes, devices and sockets, which may never end.

    Raises:
        InputError: The path is neither a file nor a folder.
    """
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        kind = "a named pipe" if stat.S_ISFIFO(mode) else "a device or socket"
        raise InputError("a regular file or a folder", kind, at=str(path), advice="Save its content to a file first.")


def first_bytes(path: Path, size: int = 16) -> bytes:
    """The beginning of a file, as it lies on disk."""
    with path.open("rb") as file:
        return file.read(size)


def read_bytes(path: Path) -> bytes:
    """The content of a text file, unpacked if it begins as gzip does.

    Raises:
        InputError: The file is too large, is a known kind of binary file, or its gzip stream is damaged.
    """
    with path.open("rb") as file:
        packed = file.read(len(GZIP)) == GZIP
        file.seek(0)
        if not packed:
            data = file.read(MAX_BYTES + 1)
        else:
            try:
                with gzip.GzipFile(fileobj=file) as unpacked:
                    data = unpacked.read(MAX_BYTES + 1)
            except (EOFError, OSError, zlib.error) as error:
                raise InputError("a whole gzip file", f"an error: {error}", at=str(path)) from error
    if len(data) > MAX_BYTES:
        raise InputError(
            f"a table of at most {MAX_BYTES >> 20} MiB of text",
            "more",
            at=str(path),
            advice="Save it as Parquet, which has no such limit.",
        )
    kind = next((kind for magic, kind in FOREIGN.items() if data.startswith(magic)), None)
    if kind is None and not data.startswith((b"\xff\xfe", b"\xfe\xff")) and b"\0" in data[: 2**20]:
        kind = "a binary file"
    if kind is not None:
        raise InputError("a text file", kind, at=str(path), advice="Save the table as CSV in UTF-8.")
    return data
