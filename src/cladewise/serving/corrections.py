"""Corrections: images with the labels that users gave them, kept as a manifest that training takes as it is.

``corrections.csv`` has one row per image with the columns ``path``, ``label``, ``predicted``, ``model`` and ``time``,
next to the folder ``images`` with the files, each named by the SHA-256 of its bytes. A correction is confirmed when
both are on disk: the image is written whole under its name, then the row is appended and flushed. A process killed
while it writes leaves at most an incomplete row, which the next process removes.
"""

from __future__ import annotations

import csv
import dataclasses
import datetime
import hashlib
import io
import os
import re
import threading
from collections import OrderedDict
from pathlib import Path

from filelock import FileLock

from cladewise.atomic import write_bytes
from cladewise.datasets.files.signatures import HEAD_BYTES, image_suffix
from cladewise.errors import InputError

COLUMNS = ("path", "label", "predicted", "model", "time")
TABLE = "corrections.csv"
IMAGES = "images"
RECENT_BYTES = 128 << 20
"""Total bytes of the latest images, to which a correction may refer instead of sending them again."""

_ID = re.compile(r"[0-9a-f]{64}")


@dataclasses.dataclass(frozen=True)
class Correction:
    """One row of the table.

    Args:
        path: The file of the image, relative to the table.
        label: The path of its node in the tree.
        predicted: The path of the node that was answered; blank if that is not known.
        model: The model that answered.
        time: When it was kept, in UTC.
    """

    path: str
    label: str
    predicted: str
    model: str
    time: str


class Corrections:
    """The corrections in a folder; several processes may add to them at the same time.

    Args:
        folder: The folder, which is made.

    Raises:
        InputError: It cannot be written to, or has a table with other columns.

    Example:
        >>> kept = Corrections(getfixture("tmp_path") / "kept")
        >>> kept.add(b"...", "bird/wren", predicted="bird"), kept.add(b"...", "bird/wren", predicted="bird")
        (True, False)
        >>> [row.label for row in kept.rows()]
        ['bird/wren']
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        self._table = self.folder / TABLE
        self._known: dict[str, Correction] = {}
        self._state: tuple[int, int] = (0, 0)  # inode and size of the table as it was read
        try:
            (self.folder / IMAGES).mkdir(parents=True, exist_ok=True)
            probe = self.folder / f".writable-{os.getpid()}"
            probe.touch()
            probe.unlink()
        except OSError as error:
            raise InputError("a folder for corrections", error.strerror or str(error), at=str(folder)) from error
        self._lock = FileLock(self.folder / ".corrections.lock")
        self._mutex = threading.Lock()
        with self._mutex, self._lock:
            if not self._table.exists():
                write_bytes(self._table, _line(COLUMNS))
            self._mend()
            self._refresh()

    def rows(self) -> list[Correction]:
        """All corrections, one per image."""
        with self._mutex, self._lock:
            self._refresh()
            return list(self._known.values())

    @property
    def count(self) -> int:
        """Number of corrections that this process knows of."""
        return len(self._known)

    def add(self, content: bytes, label: str, *, predicted: str = "", model: str = "", id: str | None = None) -> bool:
        """Keep a correction; when this returns it is on disk.

        The same image with the same label is kept once. With another label, it replaces the former one.

        Args:
            content: The bytes of the image.
            label: The path of its node.
            predicted: The path of the node that was answered.
            model: The model that answered.
            id: SHA-256 of the bytes, if it is known.

        Returns:
            Whether something changed.

        Raises:
            InputError: The disk is full, or a similar error of the file system.
        """
        id = id or hashlib.sha256(content).hexdigest()
        path = self.folder / IMAGES / f"{id}{image_suffix(content[:HEAD_BYTES], rare=True) or '.img'}"
        if not path.is_file() or path.stat().st_size != len(content):
            write_bytes(path, content)
        time = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        row = Correction(f"{IMAGES}/{path.name}", label, predicted, model, time)
        with self._mutex, self._lock:
            self._mend()
            self._refresh()
            before = self._known.get(id)
            if before is not None and before.label == label:
                return False
            self._known[id] = row
            if before is None:
                self._append(_line(dataclasses.astuple(row)))
            else:
                lines = [_line(COLUMNS), *(_line(dataclasses.astuple(other)) for other in self._known.values())]
                write_bytes(self._table, b"".join(lines))
            self._note_state()
            return True

    def image(self, id: str) -> bytes | None:
        """The bytes of an image that was corrected before; ``None`` if none was."""
        with self._mutex:
            row = self._known.get(id)
        return None if row is None else (self.folder / row.path).read_bytes()

    def _append(self, line: bytes) -> None:
        descriptor = os.open(self._table, os.O_WRONLY | os.O_APPEND)
        try:
            written = 0
            while written < len(line):
                written += os.write(descriptor, line[written:])
            os.fsync(descriptor)
        except OSError as error:
            self._known, self._state = {}, (0, 0)  # to be read again
            raise InputError("a place to write corrections to", error.strerror, at=str(self._table)) from error
        finally:
            os.close(descriptor)

    def _mend(self) -> None:
        """Remove the incomplete row that a killed process left."""
        with self._table.open("r+b") as file:
            size = file.seek(0, os.SEEK_END)
            if size == self._state[1] or size == 0:
                return
            file.seek(-1, os.SEEK_END)
            if file.read(1) == b"\n":
                return
            file.seek(0)
            content = file.read()
            file.truncate(content.rfind(b"\n") + 1)
            os.fsync(file.fileno())

    def _refresh(self) -> None:
        """Read the rows that other processes added."""
        status = self._table.stat()
        if (status.st_ino, status.st_size) == self._state:
            return
        rows = csv.reader(io.StringIO(self._table.read_text(encoding="utf-8"), newline=""))
        if tuple(next(rows, ())) != COLUMNS:
            raise InputError(f"a table with the columns {', '.join(COLUMNS)}", "another", at=str(self._table))
        found = [Correction(*row) for row in rows if len(row) == len(COLUMNS)]
        self._known = {Path(row.path).stem: row for row in found}
        self._note_state()

    def _note_state(self) -> None:
        status = self._table.stat()
        self._state = status.st_ino, status.st_size


class Recent:
    """Images that were sent last, by their ids.

    Args:
        most: Bytes that are held.

    Example:
        >>> recent = Recent(most=5)
        >>> recent.add("a", b"123"), recent.add("b", b"456"), recent.get("a"), recent.get("b")
        (None, None, None, b'456')
    """

    def __init__(self, most: int = RECENT_BYTES) -> None:
        self._most, self._size, self._images = most, 0, OrderedDict[str, bytes]()
        self._lock = threading.Lock()

    def add(self, id: str, content: bytes) -> None:
        """Hold an image, and drop the oldest ones for it."""
        with self._lock:
            if id in self._images:
                self._images.move_to_end(id)
                return
            self._images[id] = content
            self._size += len(content)
            while self._size > self._most:
                _, dropped = self._images.popitem(last=False)
                self._size -= len(dropped)

    def get(self, id: str) -> bytes | None:
        """The bytes of an image; ``None`` if it is not held any more."""
        with self._lock:
            return self._images.get(id)


def is_id(text: str) -> bool:
    """Whether a text is the id of an image.

    Example:
        >>> is_id("0" * 64), is_id("../etc/passwd")
        (True, False)
    """
    return _ID.fullmatch(text) is not None


def _line(cells: tuple[str, ...]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue().encode(errors="backslashreplace")
