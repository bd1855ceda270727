"""Images inside tables, unpacked into files of the cache once, since everything that trains reads files."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from cladewise.atomic import write_bytes
from cladewise.cache import cache_folder
from cladewise.datasets.files.signatures import HEAD_BYTES, image_suffix

UNPACKED = "unpacked"
"""Folder of the cache, with a folder for each table."""


class Unpacked:
    """The files of the images of one table: a folder that depends on its path, size and time, and a file per row.

    Files have the time of the table, so that the same table gives the same files wherever it is unpacked.

    Args:
        table: The file with the images.

    Example:
        >>> getfixture("monkeypatch").setenv("CLADEWISE_CACHE", str(getfixture("tmp_path")))
        >>> table = getfixture("tmp_path") / "train.parquet"
        >>> _ = table.write_bytes(b"PAR1")
        >>> path = Unpacked(table).file(17, b"\\xff\\xd8\\xff...")
        >>> path.parts[0][:6], path.name, (unpacked_folder() / path).read_bytes()[:3]
        ('train-', '17.jpg', b'\\xff\\xd8\\xff')
    """

    def __init__(self, table: Path) -> None:
        status = table.stat()
        self._times = (status.st_mtime_ns, status.st_mtime_ns)
        identity = f"{table.absolute()}\0{status.st_size}\0{status.st_mtime_ns}"
        name = table.name.split(".")[0][:60]
        self._folder = f"{name}-{hashlib.sha256(os.fsencode(identity)).hexdigest()[:16]}"

    def file(self, row: int, content: bytes) -> Path:
        """The file of a row's image, relative to :func:`unpacked_folder`; written unless it is there."""
        path = Path(self._folder, f"{row}{image_suffix(content[:HEAD_BYTES])}")
        place = unpacked_folder() / path
        try:
            there = place.stat().st_size == len(content)
        except OSError:
            there = False
        if not there:
            write_bytes(place, content, durable=False)
            os.utime(place, ns=self._times)
        return path


def unpacked_folder() -> Path:
    """The folder of all unpacked images.

    Example:
        >>> getfixture("monkeypatch").setenv("CLADEWISE_CACHE", "/kept/here")
        >>> unpacked_folder().as_posix()
        '/kept/here/unpacked'
    """
    return cache_folder() / UNPACKED
