"""The folder that parts are written to: on a disk, or in any storage that fsspec knows."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import Any

from cladewise.atomic import sweep, write_bytes
from cladewise.errors import InputError
from cladewise.records import RunFolder
from cladewise.sources.storage import Storage, reason

JOB_FILE = "job.json"


@dataclasses.dataclass(frozen=True)
class Folder:
    """A folder whose files are written whole or not at all.

    On a disk a file is renamed into place; object stores show an object once it is complete.

    Args:
        place: Path, or URI such as ``s3://bucket/predictions``.
        options: Options of the storage, as fsspec takes them.

    Example:
        >>> folder = Folder(str(getfixture("tmp_path")))
        >>> folder.write("parts/a.txt", b"whole")
        >>> folder.names("parts"), folder.read("parts/a.txt"), folder.read("b.txt")
        (['a.txt'], b'whole', None)
    """

    place: str
    options: dict[str, Any] = dataclasses.field(default_factory=dict[str, Any])

    @property
    def is_remote(self) -> bool:
        """Whether the folder is in a storage with a protocol, not on a disk."""
        return "://" in self.place

    def at(self, name: str) -> str:
        """Path or URI of a file."""
        return f"{self.place.rstrip('/')}/{name}" if self.is_remote else os.path.join(self.place, name)

    def write(self, name: str, content: bytes) -> None:
        """Write a file; readers see all of it or none.

        Raises:
            InputError: The disk is full, the folder is not writable, or the storage refuses.
        """
        if self.is_remote:
            Storage(self.options).write(self.at(name), content)
        else:
            write_bytes(self.at(name), content)

    def read(self, name: str) -> bytes | None:
        """The content of a file, or ``None`` if there is none of this name.

        Raises:
            InputError: The file cannot be read.
        """
        if self.is_remote:
            return Storage(self.options).read_if_there(self.at(name))
        path = Path(self.at(name))
        try:
            return path.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise InputError("a file that can be read", reason(error), at=str(path)) from error

    def read_end(self, name: str, size: int) -> bytes:
        """The last bytes of a file that is there; all of it if it is no larger.

        Raises:
            InputError: The file cannot be read.
        """
        if self.is_remote:
            return Storage(self.options).read_end(self.at(name), size)
        try:
            with open(self.at(name), "rb") as file:
                file.seek(max(0, os.fstat(file.fileno()).st_size - size))
                return file.read()
        except OSError as error:
            raise InputError("a file that can be read", (error.strerror or "").lower(), at=self.at(name)) from error

    def names(self, subfolder: str) -> list[str]:
        """Sorted names of the files of a subfolder; none if it does not exist."""
        if self.is_remote:
            return Storage(self.options).names(self.at(subfolder))
        where = self.at(subfolder)
        return sorted(entry.name for entry in os.scandir(where) if entry.is_file()) if os.path.isdir(where) else []

    def sweep(self, subfolder: str = "") -> None:
        """Remove temporary files that killed processes left in a folder on a disk; object stores keep none."""
        if not self.is_remote:
            sweep(self.at(subfolder))

    def check(self) -> None:
        """Check that this is a folder, or a place for one.

        Raises:
            InputError: A file has this name, or it is the folder of a run.
        """
        if self.is_remote or not os.path.lexists(self.place):
            return
        if not os.path.isdir(self.place):
            raise InputError("a folder to write parts to", "a file", at=self.place)
        if RunFolder(Path(self.place)).config.is_file():
            raise InputError("a folder to write parts to", "a run folder", at=self.place)


def is_prediction_folder(word: str) -> bool:
    """Whether a word names a local folder of predictions."""
    return "://" not in word and os.path.isfile(os.path.join(word, JOB_FILE))
