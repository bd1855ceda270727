"""Immutable files of rows found by 128-bit keys: the parts of which a cache consists."""

from __future__ import annotations

import hashlib
import json
import mmap
import os
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from cladewise.atomic import replacing
from cladewise.errors import InputError
from cladewise.tensor_files import METADATA

Keys = NDArray[np.uint64]
"""Keys as ``[2, key]``: the first and the second 64 bits."""
IntArray = NDArray[np.int64]

SUFFIX = ".safetensors"
MISSING = -1
"""Place of a key that is not there."""

_TYPES = {"F32": "<f4", "F16": "<f2", "U64": "<u8", "U32": "<u4", "U8": "u1"}
_KINDS: dict[str, np.dtype[Any]] = {name: np.dtype(kind) for name, kind in _TYPES.items()}
_NAMES = {kind: name for name, kind in _KINDS.items()}
_BYTES_AT_ONCE = 1 << 24


class Segment:
    """One file of rows, memory-mapped: it is read only where it is looked at.

    It is a safetensors file. Rows are in the order in which they were written, so that a pass over a dataset reads it
    from one end to the other; the keys are sorted, so that a look-up is a binary search.

    | tensor | content |
    |---|---|
    | `keys` | uint64 [2, key], sorted by the first word, then the second |
    | `row` | uint32 [key]: the row of each key |
    | `rows` | [row, value] |
    | `failed` | uint64 [2, failure]: keys of images that have no row, sorted |
    | `reasons` | uint8: a JSON list with the reason of each failure |

    Args:
        path: The file.
        width: Values per row.
        kind: Type of the values.
        recipe: What the rows must have been computed by.

    Raises:
        InputError: The file is damaged, or belongs to another recipe.
        FileNotFoundError: It does not exist.
    """

    def __init__(self, path: Path, width: int, kind: np.dtype[Any], recipe: str) -> None:
        self.path = path
        with path.open("rb") as file:
            self.written = os.fstat(file.fileno()).st_mtime_ns
            try:
                self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            except ValueError as error:  # an empty file cannot be mapped
                raise self._damaged(str(error)) from None
        arrays, self.about = self._parse()
        if self.about.get("recipe") != recipe:
            raise InputError(
                f"cached rows of {recipe}", f"some of {self.about.get('recipe')}", at=str(path),
                advice="Move the file into the folder that it comes from.",
            )  # fmt: skip
        self.keys, self.failed = self._get(arrays, "keys", "U64", 2), self._get(arrays, "failed", "U64", 2)
        self.row, self._reasons = self._get(arrays, "row", "U32", 1), self._get(arrays, "reasons", "U8", 1)
        self.rows = self._get(arrays, "rows", _NAMES[kind], 2)
        shape = (2, len(self.row)), (len(self.row), width), 2
        if (self.keys.shape, self.rows.shape, len(self.failed)) != shape:
            raise self._damaged(f"{self.keys.shape[-1]} keys for {list(self.rows.shape)} values")

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def num_bytes(self) -> int:
        """Size of the file."""
        return len(self._map)

    @cached_property
    def reasons(self) -> list[str]:
        """Why each image of ``failed`` has no row."""
        try:
            found = [str(reason) for reason in json.loads(self._reasons.tobytes() or b"[]")]
        except ValueError as error:
            raise self._damaged(str(error)) from None
        if len(found) != self.failed.shape[1]:
            raise self._damaged(f"{len(found)} reasons for {self.failed.shape[1]} images that cannot be read")
        return found

    def find(self, keys: Keys) -> IntArray:
        """The row of each key; :data:`MISSING` where there is none."""
        at = find_sorted(self.keys, keys)
        found = at >= 0
        at[found] = self.row[at[found]]
        if at.size and at.max() >= len(self):
            raise self._damaged(f"row {at.max()} of {len(self)}")
        return at

    def release(self) -> None:
        """Give the memory of pages that were read back to the system, which may keep them cached."""
        if hasattr(self._map, "madvise"):
            self._map.madvise(mmap.MADV_DONTNEED)

    def _parse(self) -> tuple[dict[str, NDArray[Any]], dict[str, str]]:
        try:
            end = 8 + int.from_bytes(self._map[:8], "little")
            if not 8 < end <= len(self._map):
                raise ValueError(f"a header of {end - 8} bytes in a file of {len(self._map)}")
            header = json.loads(self._map[8:end])
            about = {str(name): str(value) for name, value in header.pop(METADATA).items()}
            arrays, last = dict[str, NDArray[Any]](), 0
            for name, entry in header.items():
                kind, (start, stop) = _KINDS[entry["dtype"]], entry["data_offsets"]
                count = int(np.prod(entry["shape"], dtype=np.int64))
                if start != last or stop - start != count * kind.itemsize:
                    raise ValueError(f"{name} in bytes {start} to {stop}")
                if end + stop > len(self._map):
                    raise ValueError(f"{len(self._map)} bytes of {end + stop}")
                arrays[name], last = np.frombuffer(self._map, kind, count, end + start).reshape(entry["shape"]), stop
            if end + last != len(self._map):
                raise ValueError(f"{len(self._map)} bytes instead of {end + last}")
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError) as error:
            raise self._damaged(f"{error}" if isinstance(error, ValueError) else f"{error!r}") from None
        return arrays, about

    def _get(self, arrays: Mapping[str, NDArray[Any]], name: str, kind: str, ndim: int) -> NDArray[Any]:
        found = arrays.get(name)
        if found is None or found.dtype != _KINDS[kind] or found.ndim != ndim:
            got = f"no {name}" if found is None else f"{name} of {found.dtype} {list(found.shape)}"
            raise self._damaged(got)
        return found

    def _damaged(self, got: str) -> InputError:
        return InputError("cached features", got, at=str(self.path), advice="Remove the file: it is made again.")


def find_sorted(held: Keys, wanted: Keys) -> IntArray:
    """Position of each wanted key among sorted ones; :data:`MISSING` where there is none.

    Example:
        >>> held = np.array([[1, 5, 5, 9], [0, 2, 7, 0]], dtype=np.uint64)
        >>> find_sorted(held, np.array([[5, 5, 1], [7, 3, 0]], dtype=np.uint64)).tolist()
        [2, -1, 0]
    """
    size = held.shape[1]
    found = np.full(wanted.shape[1], MISSING, dtype=np.int64)
    at = np.searchsorted(held[0], wanted[0])
    left = np.flatnonzero(at < size)
    at = at[left]
    while left.size:  # once, unless keys share their first word
        same = held[0][at] == wanted[0][left]
        left, at = left[same], at[same]
        equal = held[1][at] == wanted[1][left]
        found[left[equal]] = at[equal]
        left, at = left[~equal], at[~equal] + 1
        inside = at < size
        left, at = left[inside], at[inside]
    return found


def sort_order(keys: Keys) -> IntArray:
    """The order that sorts keys by the first word, then the second; equal ones keep their order."""
    return np.lexsort((keys[1], keys[0]))


def write_rows(
    folder: Path, keys: Keys, rows: NDArray[Any], failed: Keys, reasons: Sequence[str], about: Mapping[str, str]
) -> Path:
    """Write rows with their keys as one file, named by its content, so that equal files are one.

    Raises:
        InputError: The disk is full, or the folder is not writable.
    """
    digest = hashlib.blake2b(digest_size=12)
    for part in (keys, rows, failed):
        digest.update(np.ascontiguousarray(part).data)
    digest.update(json.dumps([reasons, dict(about)]).encode())
    order = sort_order(keys)
    path = folder / f"{digest.hexdigest()}{SUFFIX}"
    _write(
        path, keys[:, order], order.astype(np.uint32), [(rows, None)], rows.dtype, rows.shape[1], failed, reasons, about
    )
    return path


def write_merged(folder: Path, segments: Sequence[Segment], about: Mapping[str, str], *, failures_by: str) -> Path:
    """Write the rows of several segments as one, named by theirs; of equal keys the first is kept.

    Args:
        folder: Where to write.
        segments: At least one.
        about: Metadata.
        failures_by: Failures are kept only from segments with this ``decoder``.

    Raises:
        InputError: The disk is full, or the folder is not writable.
    """
    segments = sorted(segments, key=lambda segment: segment.written)  # so that rows stay in the order of the dataset
    starts = np.cumsum([0, *map(len, segments)])
    keys = np.concatenate([segment.keys for segment in segments], axis=1)
    origin = np.concatenate([segment.row + start for segment, start in zip(segments, starts, strict=False)])
    order = sort_order(keys)
    keys, origin = keys[:, order], origin[order]
    first = np.ones(len(origin), dtype=np.bool_)
    first[1:] = (keys[:, 1:] != keys[:, :-1]).any(0)
    keys, origin = keys[:, first], origin[first]
    kept = np.zeros(starts[-1], dtype=np.bool_)
    kept[origin] = True
    row = (kept.cumsum() - 1)[origin].astype(np.uint32)
    chosen = np.split(kept, starts[1:-1])
    blocks = [
        (segment.rows, None if those.all() else np.flatnonzero(those))
        for segment, those in zip(segments, chosen, strict=True)
    ]
    reasons = {
        key: reason
        for segment in segments
        if segment.about.get("decoder") == failures_by
        for key, reason in zip(map(tuple, segment.failed.T.tolist()), segment.reasons, strict=True)
    }
    failed = np.array(list(reasons), dtype=np.uint64).reshape(-1, 2).T
    names = "".join(sorted(segment.path.name for segment in segments))
    path = folder / f"{hashlib.blake2b(names.encode(), digest_size=12).hexdigest()}{SUFFIX}"
    kind, width = segments[0].rows.dtype, segments[0].rows.shape[1]
    _write(path, keys, row, blocks, kind, width, failed, list(reasons.values()), about)
    return path


def _write(
    path: Path,
    keys: Keys,
    row: NDArray[np.uint32],
    blocks: Sequence[tuple[NDArray[Any], IntArray | None]],
    kind: np.dtype[Any],
    width: int,
    failed: Keys,
    reasons: Sequence[str],
    about: Mapping[str, str],
) -> None:
    if path.exists():  # written before, by us or by another
        return
    order = sort_order(failed)
    text = np.frombuffer(json.dumps([reasons[at] for at in order]).encode(), dtype=np.uint8)
    parts = {"keys": keys, "failed": failed[:, order], "rows": None, "row": row, "reasons": text}
    if kind.itemsize < row.itemsize:
        parts = {"keys": keys, "failed": failed[:, order], "row": row, "rows": None, "reasons": text}
    header: dict[str, Any] = {METADATA: dict(sorted(about.items()))}
    last = 0
    for name, part in parts.items():  # of falling size of their values, so that all are aligned
        shape, dtype = ((len(row), width), kind) if part is None else (part.shape, part.dtype)
        size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
        header[name] = {"dtype": _NAMES[dtype], "shape": list(shape), "data_offsets": [last, last + size]}
        last += size
    content = json.dumps(header, separators=(",", ":")).encode()
    content += b" " * (-len(content) % 8)
    with replacing(path) as temporary, temporary.open("wb") as file:
        file.write(len(content).to_bytes(8, "little") + content)
        for part in parts.values():
            if part is None:
                for block in blocks:
                    _copy(file, *block)
            else:
                file.write(np.ascontiguousarray(part).data)


def _copy(file: BinaryIO, rows: NDArray[Any], chosen: IntArray | None) -> None:
    for part in _slices(len(rows) if chosen is None else len(chosen), rows.shape[1] * rows.itemsize):
        file.write(np.ascontiguousarray(rows[part] if chosen is None else rows[chosen[part]]).data)


def _slices(count: int, row_bytes: int) -> Iterator[slice]:
    size = max(1, _BYTES_AT_ONCE // max(1, row_bytes))
    for start in range(0, count, size):
        yield slice(start, min(start + size, count))
