"""Feature vectors on disk, written incrementally so that an interrupted writer leaves no partial row."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import filelock
import numpy as np
from numpy.typing import NDArray

from cladewise.atomic import writing
from cladewise.datasets.dataset import IntArray, Skipped
from cladewise.errors import InputError

PENDING, READ, UNREADABLE = 0, 1, 2

_BEGINNING = b'{"index": '
"""First bytes of each line about an unreadable image."""

_DISK_ERRORS = (
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EACCES,
    errno.EPERM,
    errno.EROFS,
    errno.ENOTDIR,
    errno.EEXIST,
    errno.EFBIG,
)


class FeatureStore:
    """A folder with an array of one row per image, and the state of each row.

    | file | content |
    |---|---|
    | `values.npy` | float32 [image, feature] or [image, view, feature]; sparse until rows are written |
    | `state.npy` | uint8 [image]: 0 pending, 1 read, 2 unreadable |
    | `skipped.jsonl` | index, path and reason of each unreadable image |
    | `key.json` | everything that the features depend on |

    A row reaches the disk before its state, so that a row that is not pending is complete, whatever stops the writer (a
    signal, a power cut, a full disk). Rows never change once written, so readers need no lock; a writer holds
    :meth:`lock`, which the operating system releases when the process ends.

    Args:
        folder: The folder; created if missing.
        shape: Shape of the array.
        description: Content of ``key.json``.

    Raises:
        InputError: The folder cannot be written to, or its disk is full.
    """

    def __init__(self, folder: Path, shape: tuple[int, ...], description: Mapping[str, Any]) -> None:
        self.folder = folder
        self._shape = shape
        with self._explained():
            folder.mkdir(parents=True, exist_ok=True)
        if not self._state_path.exists():
            with self.lock():
                self._create(description)
        self.state: NDArray[np.uint8] = self._read_state()

    @contextmanager
    def lock(self) -> Generator[None, None, None]:
        """Hold the folder for writing, after waiting for any other writer; its rows are then known."""
        with self._explained():
            held = filelock.FileLock(self.folder / "lock")
            held.acquire()
        try:
            if self._state_path.exists():
                self.state = self._read_state()
            yield
        finally:
            held.release()

    def pending(self, indices: IntArray) -> IntArray:
        """The images whose rows are not written yet, in ascending order without repetition."""
        wanted = np.unique(indices)
        return wanted[self.state[wanted] == PENDING]

    def require_space(self, rows: int) -> None:
        """Check before the work begins that the disk can hold its result.

        Raises:
            InputError: There is not enough free space for that many rows.
        """
        needed, free = rows * self._row_bytes, shutil.disk_usage(self.folder).free
        if needed > free:
            raise InputError(
                f"{needed / 1e6:.0f} MB free for features",
                f"{free / 1e6:.0f} MB",
                at=str(self.folder),
                advice="Free some space, or set CLADEWISE_CACHE to a folder on a larger disk.",
            )

    def write(self, index: IntArray, rows: NDArray[np.float32], skipped: Iterable[tuple[int, Skipped]]) -> None:
        """Write the rows of some images, and the reasons why others have none, atomically.

        Raises:
            InputError: The disk is full or no longer writable. Everything written before stays valid.
        """
        failed = list(skipped)
        with self._explained():
            if failed:
                lines = [json.dumps({"index": at, "path": item.path, "reason": item.reason}) for at, item in failed]
                # start with a line break, in case a killed writer left a line unfinished
                with (self.folder / "skipped.jsonl").open("a", encoding="utf-8") as file:
                    file.write("\n" + "\n".join(lines) + "\n")
                    _flush(file)
            _write_rows(self._values_path, index, rows)
            state = self.state.copy()
            state[index] = READ
            state[[at for at, _ in failed]] = UNREADABLE
            # these bytes are already allocated, so this cannot fail on a full disk
            changed = np.flatnonzero(state != self.state)
            _write_rows(self._state_path, changed, state[changed])
        self.state = state

    def values(self) -> NDArray[np.float32]:
        """The array, memory-mapped and read-only."""
        return self._read(self._values_path, self._shape, np.dtype("<f4"))

    def skipped(self) -> dict[int, Skipped]:
        """The unreadable images, by index."""
        path = self.folder / "skipped.jsonl"
        entries: dict[int, Skipped] = {}
        for number, line in enumerate(path.read_bytes().split(b"\n") if path.exists() else [], start=1):
            try:
                entry = json.loads(line)
                at, item = int(entry["index"]), Skipped(str(entry["path"]), str(entry["reason"]))
                if not 0 <= at < len(self.state):
                    raise IndexError(f"image {at} of {len(self.state)}")
            except json.JSONDecodeError as error:
                if _BEGINNING.startswith(line[: len(_BEGINNING)]):  # blank or cut off: the image is still pending
                    continue
                raise self._damaged(f"{path}:{number}", str(error)) from None
            except (KeyError, TypeError, ValueError, IndexError, RecursionError) as error:
                raise self._damaged(f"{path}:{number}", f"{error!r}") from None
            if self.state[at] == UNREADABLE:
                entries[at] = item
        missing = np.flatnonzero(self.state == UNREADABLE)
        if missing.size != len(entries):
            raise self._damaged(str(path), f"{len(entries)} reasons for {missing.size} images that cannot be read")
        return dict(sorted(entries.items()))

    def _read_state(self) -> NDArray[np.uint8]:
        state = np.array(self._read(self._state_path, self._shape[:1], np.dtype(np.uint8)))
        if state.size and state.max() > UNREADABLE:
            raise self._damaged(str(self._state_path), f"a state {state.max()}")
        if not self._values_path.exists():
            raise self._damaged(str(self._values_path), "no such file")
        return state

    def _read(self, path: Path, shape: tuple[int, ...], kind: np.dtype[Any]) -> NDArray[Any]:
        """An array of the file, memory-mapped and read-only."""
        try:
            found = np.load(path, mmap_mode="r" if all(shape) else None, allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise self._damaged(str(path), f"{error}") from None
        if not isinstance(found, np.ndarray) or found.shape != shape or found.dtype != kind:
            got = f"{found.dtype} {list(found.shape)}" if isinstance(found, np.ndarray) else "an archive"
            raise self._damaged(str(path), f"{got} instead of {kind} {list(shape)}")
        return found

    def _damaged(self, at: str, got: str) -> InputError:
        advice = f"Remove the folder {self.folder}: its features are computed again."
        return InputError("cached features", got, at=at, advice=advice)

    @property
    def _values_path(self) -> Path:
        return self.folder / "values.npy"

    @property
    def _state_path(self) -> Path:
        return self.folder / "state.npy"

    @property
    def _row_bytes(self) -> int:
        return int(np.prod(self._shape[1:])) * np.dtype(np.float32).itemsize

    def _create(self, description: Mapping[str, Any]) -> None:
        if self._state_path.exists():  # another process was faster
            return
        with writing(self._values_path) as file:
            header = {"descr": "<f4", "fortran_order": False, "shape": self._shape}
            np.lib.format.write_array_header_1_0(file, header)
            file.truncate(file.tell() + self._shape[0] * self._row_bytes)
        with writing(self.folder / "key.json") as file:
            file.write(json.dumps(description, indent=2).encode())
        with writing(self._state_path) as file:
            np.save(file, np.zeros(self._shape[0], dtype=np.uint8), allow_pickle=False)

    @contextmanager
    def _explained(self) -> Generator[None, None, None]:
        try:
            yield
        except OSError as error:
            if error.errno not in _DISK_ERRORS:
                raise
            raise InputError(
                "to write features",
                os.strerror(error.errno).lower(),
                at=str(self.folder),
                advice="Free some space, or set CLADEWISE_CACHE to another folder; what is done stays done.",
            ) from error


def _write_rows(path: Path, index: IntArray, rows: NDArray[Any]) -> None:
    """Write rows of a ``.npy`` file in place, neighbours together.

    Through the file and not through a memory map: a full disk is then an error, where a map would kill the process.
    """
    if not len(index):
        return
    row_bytes = rows[0].nbytes
    start = path.stat().st_size - int(np.prod(_shape(path))) * rows.dtype.itemsize
    with path.open("r+b") as file:
        for run in np.split(np.arange(len(index)), np.flatnonzero(np.diff(index) != 1) + 1):
            file.seek(start + int(index[run[0]]) * row_bytes)
            file.write(np.ascontiguousarray(rows[run]).data)
        _flush(file)


def _shape(path: Path) -> tuple[int, ...]:
    return np.load(path, mmap_mode="r", allow_pickle=False).shape


def _flush(file: Any) -> None:
    file.flush()
    os.fsync(file.fileno())
