"""Rows of values by the content that they were computed from, in a folder that several processes may read and write."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import json
import math
import os
import shutil
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import filelock
import numpy as np
from numpy.typing import NDArray

from cladewise.atomic import write_bytes
from cladewise.engine.feeding.segments import (
    MISSING,
    SUFFIX,
    IntArray,
    Keys,
    Segment,
    find_sorted,
    write_merged,
    write_rows,
)
from cladewise.errors import InputError

RECIPE = "recipe.json"
"""File with everything that the rows of a folder depend on, apart from the content of the images."""
REPLACED = "replaced"
"""Subfolder of segments that were merged into larger ones, kept while other machines may still read them."""
LOCK = "lock"
"""Beginning of the names of lock files."""
MERGED_AT = 8
"""Number of segments of about the same size that are merged into one."""
LARGEST_MERGED = 1 << 32
"""Segments are merged up to about this many bytes."""

_SMALLEST_TIER = 1 << 20  # bytes: all smaller segments count as equal
_KEPT_REPLACED = 24 * 3600.0
_DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST)


@dataclasses.dataclass(frozen=True)
class Segments:
    """The segments of a folder at one time. They never change, so that places in them stay valid.

    A place is a row number, counted through the segments.
    """

    parts: tuple[Segment, ...]
    width: int
    kind: np.dtype[Any]
    decoder: str

    @property
    def starts(self) -> IntArray:
        """Place of the first row of each segment, and the number of rows."""
        return np.cumsum([0, *map(len, self.parts)])

    def find(self, keys: Keys) -> IntArray:
        """The place of each key; :data:`MISSING` where there is none."""
        places, left = np.full(keys.shape[1], MISSING, dtype=np.int64), np.arange(keys.shape[1])
        for segment, start in zip(self.parts, self.starts, strict=False):
            if not left.size:
                break
            rows = segment.find(keys[:, left])
            found = rows >= 0
            places[left[found]] = rows[found] + start
            left = left[~found]
        return places

    def failures(self, keys: Keys) -> dict[int, str]:
        """The reason for each key, by its position, whose image is known to be unreadable with these decoders."""
        found: dict[int, str] = {}
        for segment in self.parts:
            if segment.failed.shape[1] and segment.about.get("decoder") == self.decoder:
                at = find_sorted(segment.failed, keys)
                for position in np.flatnonzero(at >= 0).tolist():
                    found.setdefault(position, segment.reasons[at[position]])
        return found

    def rows(self, places: IntArray) -> NDArray[Any]:
        """A copy of the rows at some places, ``[*place, value]``."""
        flat = places.reshape(-1)
        if len(self.parts) == 1:
            rows = self.parts[0].rows[flat]
        else:
            rows = np.empty((flat.size, self.width), self.kind)
            starts = self.starts
            of = np.searchsorted(starts, flat, side="right") - 1
            for number in np.unique(of).tolist():
                here = np.flatnonzero(of == number)
                rows[here] = self.parts[number].rows[flat[here] - starts[number]]
        return rows.reshape(*places.shape, self.width)

    def release(self) -> None:
        """Give the memory of what was read back to the system."""
        for segment in self.parts:
            segment.release()


class FeatureStore:
    """A folder of immutable segments with one row for each 128-bit key.

    A segment is written whole or not at all, so whatever stops a writer (a signal, a power cut, a full disk) loses only
    what it had not written yet, and readers need no lock. Rows of equal keys are equal, so that two folders of the same
    recipe are joined by copying the files of one into the other. When there are :data:`MERGED_AT` segments of about the
    same size, they are merged.

    | file | content |
    |---|---|
    | `<hash>.safetensors` | a :class:`~cladewise.engine.feeding.segments.Segment` |
    | `recipe.json` | everything that the rows depend on apart from the content of the images |
    | `replaced/` | merged segments, for a day, since another machine may be reading them |
    | `lock-*` | held by processes that compute rows |

    Args:
        folder: The folder; created at the first write.
        width: Values per row.
        kind: Type of the values: float32, float16 or uint64.
        description: Content of ``recipe.json``, with a ``recipe`` that identifies it.
        decoder: Names the image decoders; failures under other ones do not count.

    Raises:
        InputError: The folder holds damaged files.
    """

    def __init__(
        self, folder: Path, width: int, kind: str, description: Mapping[str, Any], *, decoder: str = ""
    ) -> None:
        self.folder, self.width, self.kind = folder, width, np.dtype(kind)
        self.description, self.decoder = dict(description), decoder
        self._segments = Segments((), width, self.kind, decoder)
        self.refresh()

    def __reduce__(self) -> tuple[object, ...]:  # in a worker process the files are opened again
        return _opened, (self.folder, self.width, self.kind.str, self.description, self.decoder)

    @property
    def none(self) -> NDArray[Any]:
        """No rows."""
        return np.empty((0, self.width), self.kind)

    @property
    def segments(self) -> Segments:
        """The segments when they were last looked for."""
        return self._segments

    def refresh(self) -> Segments:
        """Look for segments that were written or merged since."""
        known = {segment.path.name: segment for segment in self._segments.parts}
        while True:
            try:
                with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                    parts = [known.get(name) or self._open(name) for name in self._names()]
                    self._segments = dataclasses.replace(self._segments, parts=tuple(parts))
                return self._segments
            except _MergedMeanwhileError:
                continue

    @contextmanager
    def lock(self, name: str) -> Generator[None, None, None]:
        """Wait for other processes that compute the same, and hold them off.

        It saves work, and nothing depends on it: where the file system has no locks, both compute.

        Raises:
            InputError: The folder cannot be written to.
        """
        with self._explained():
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = filelock.FileLock(self.folder / f"{LOCK}-{name}")
            with contextlib.suppress(NotImplementedError):
                lock.acquire()
        try:
            self.refresh()
            yield
        finally:
            lock.release()

    def require_space(self, rows: int) -> None:
        """Check before the work begins that the disk can hold its result.

        Raises:
            InputError: There is not enough free space for that many rows.
        """
        needed = rows * self.width * self.kind.itemsize
        free = shutil.disk_usage(_existing(self.folder)).free
        if needed > free:
            raise InputError(
                f"{needed / 1e6:.0f} MB free for features",
                f"{free / 1e6:.0f} MB",
                at=str(self.folder),
                advice="Free some space, or set CLADEWISE_CACHE to a folder on a larger disk.",
            )

    def write(self, keys: Keys, rows: NDArray[Any], failed: Mapping[tuple[int, int], str] | None = None) -> None:
        """Write rows, and the reasons why other keys have none, as one segment.

        Raises:
            InputError: The disk is full or no longer writable. Everything written before stays valid.
        """
        reasons = dict(failed or {})
        if not (keys.shape[1] or reasons):
            return
        with self._explained():
            if not (self.folder / RECIPE).is_file():
                write_bytes(self.folder / RECIPE, json.dumps(self.description, indent=2).encode())
            without = np.array(list(reasons), dtype=np.uint64).reshape(-1, 2).T
            write_rows(self.folder, keys, rows, without, list(reasons.values()), self._about)
        self.refresh()
        self._merge()

    def used(self) -> None:
        """Note that the rows were used today."""
        with contextlib.suppress(OSError):
            os.utime(self.folder / RECIPE)

    def _merge(self) -> None:
        """Merge segments of about the same size while there are many, so that there are never many in all."""
        while True:
            tiers: dict[int, list[Segment]] = {}
            for segment in self._segments.parts:
                if segment.num_bytes * MERGED_AT <= LARGEST_MERGED:
                    tiers.setdefault(_tier(segment), []).append(segment)
            crowded = [tier for tier in tiers.values() if len(tier) >= MERGED_AT]
            if not crowded:
                return
            with self._explained():
                write_merged(self.folder, crowded[0], self._about, failures_by=self.decoder)
                self._retire(crowded[0])
            self.refresh()

    def _retire(self, merged: Sequence[Segment]) -> None:
        """Move merged segments aside, where another machine that has them open can still read them."""
        aside = self.folder / REPLACED
        aside.mkdir(exist_ok=True)
        with contextlib.suppress(OSError), os.scandir(aside) as entries:
            for entry in entries:
                if time.time() - entry.stat().st_mtime > _KEPT_REPLACED:
                    with contextlib.suppress(OSError):
                        os.unlink(entry.path)
        for segment in merged:
            with contextlib.suppress(OSError):  # another process was faster, or has the file open on Windows
                moved = aside / segment.path.name
                segment.path.replace(moved)
                os.utime(moved)

    @property
    def _about(self) -> dict[str, str]:
        return {"recipe": str(self.description["recipe"]), "decoder": self.decoder}

    def _names(self) -> list[str]:
        with os.scandir(self.folder) as entries:
            return sorted(e.name for e in entries if e.name.endswith(SUFFIX) and not e.name.startswith("."))

    def _open(self, name: str) -> Segment:
        try:
            return Segment(self.folder / name, self.width, self.kind, str(self.description["recipe"]))
        except FileNotFoundError:
            raise _MergedMeanwhileError from None

    @contextmanager
    def _explained(self) -> Generator[None, None, None]:
        try:
            yield
        except InputError as error:
            if not isinstance(error.__cause__, OSError):
                raise
            raise self._unwritable(error.__cause__) from error
        except OSError as error:
            if error.errno not in _DISK_ERRORS:
                raise
            raise self._unwritable(error) from error

    def _unwritable(self, error: OSError) -> InputError:
        return InputError(
            "to write features",
            os.strerror(error.errno or 0).lower(),
            at=str(self.folder),
            advice="Free some space, or set CLADEWISE_CACHE to another folder; what is done stays done.",
        )


class _MergedMeanwhileError(Exception):
    """A segment was merged into another between the listing of the folder and its opening."""


def _opened(folder: Path, width: int, kind: str, description: dict[str, Any], decoder: str) -> FeatureStore:
    return FeatureStore(folder, width, kind, description, decoder=decoder)


def _tier(segment: Segment) -> int:
    return max(0, math.floor(math.log(max(1, segment.num_bytes) / _SMALLEST_TIER, MERGED_AT)))


def _existing(folder: Path) -> Path:
    return next(place for place in (folder, *folder.parents) if place.exists())
