"""Refusal of files that are not text: pipes, devices, and binary formats mistaken for tables."""

from __future__ import annotations

import stat
from pathlib import Path

from cladewise.errors import InputError

UTF_16 = (b"\xff\xfe", b"\xfe\xff")
BEGINNING = 2**20
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
"""Magic bytes of files that are often mistaken for tables."""


SPREADSHEETS = (".xlsx", ".xls", ".xlsm", ".ods", ".numbers")


def regular(path: Path) -> None:
    """Refuse pipes, devices and sockets, whose content may never end.

    Raises:
        InputError: The path is neither a file nor a folder.
    """
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        kind = "a named pipe" if stat.S_ISFIFO(mode) else "a device or socket"
        raise InputError("a regular file or a folder", kind, at=str(path), advice="Save its content to a file first.")


def first_bytes(path: Path, size: int = 16) -> bytes:
    """The first bytes of a file, as stored on disk."""
    with path.open("rb") as file:
        return file.read(size)


def refuse_binary(data: bytes, source: str) -> None:
    """Refuse binary content.

    Raises:
        InputError: The content is binary; the message names the kind of file if it is a known one.

    Example:
        >>> refuse_binary(b"%PDF-1.7", "classes.csv")
        Traceback (most recent call last):
        cladewise.errors.InputError: Expected a text file, but got a PDF at classes.csv. Save the table as CSV in UTF-8.
    """
    kind = next((kind for magic, kind in FOREIGN.items() if data.startswith(magic)), None)
    if kind is None and not data.startswith(UTF_16) and b"\0" in data[:BEGINNING]:
        kind = "a binary file"
    if kind is not None:
        raise InputError("a text file", kind, at=source, advice="Save the table as CSV in UTF-8.")
