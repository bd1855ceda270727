"""Entries of the cache, and their removal."""

from __future__ import annotations

import contextlib
import dataclasses
import fnmatch
import json
import os
import secrets
import shutil
import time
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import filelock
import numpy as np

from cladewise.atomic import is_being_written
from cladewise.cache import cache_folder
from cladewise.catalogue import nearest
from cladewise.datasets.files.unpacking import UNPACKED
from cladewise.engine.feeding.feature_store import LOCK, RECIPE, REPLACED
from cladewise.engine.feeding.recipes import FEATURES, FILES, FORMAT
from cladewise.engine.feeding.segments import SUFFIX, Segment
from cladewise.errors import InputError
from cladewise.records.hub_folder import HUB

STALE = "stale"
EVERYTHING = "all"

_SEVERAL = (FEATURES, "encoders", UNPACKED, HUB)
"""Folders with an entry for each of their subfolders."""
_KNOWN = {
    FILES: "content of files by path, size and time",
    "texts": "features of texts",
    "encoders": "compiled encoder",
    UNPACKED: "images of a Parquet or Arrow file",
    HUB: "runs opened from the hub, with what was made of them",
}
_DOWNLOADED = {
    "emoji-*": "drawings of emoji",
    "cifar-100-*": "images of CIFAR-100",
    "fashion-mnist-*": "images of Fashion-MNIST",
}
"""Folders of published datasets."""
_SECONDS_OF_A_DAY = 24 * 3600.0
_REMOVED = ".removed-"


@dataclasses.dataclass(frozen=True)
class CacheEntry:
    """One thing in the cache that can be removed by itself; it is made again when it is needed.

    Args:
        name: Its path in the cache, with forward slashes.
        path: Its path.
        about: What it is: of features, the encoder and what else they depend on.
        images: Number of images with features; ``None`` for other things.
        rows: Number of feature vectors: one per image and view.
        num_bytes: Size on disk.
        last_used: When it was last used, as far as it records that, or else last written.
        stale: Why nothing will use it any more; empty if it may be used.
    """

    name: str
    path: Path
    about: str
    images: int | None
    rows: int | None
    num_bytes: int
    last_used: datetime
    stale: str = ""


def cache_entries(
    which: str = EVERYTHING, *, older_than: float | None = None, folder: Path | None = None
) -> list[CacheEntry]:
    """Everything that cladewise keeps in the cache, by name; reading it changes nothing.

    Args:
        which: ``"all"``; ``"stale"`` for what no longer serves this version; or a name or pattern (``"features/*"``).
        older_than: Only what was last used more than this many days ago.
        folder: The cache; by default ``CLADEWISE_CACHE`` of the environment, or the user's cache folder.

    Raises:
        InputError: Nothing has such a name, or the number of days is negative.

    Example:
        >>> cache = getfixture("tmp_path")
        >>> (cache / "texts").mkdir()
        >>> _ = (cache / "texts" / "a.safetensors").write_bytes(bytes(100))
        >>> [(entry.name, entry.about, entry.num_bytes) for entry in cache_entries(folder=cache)]
        [('texts', 'features of texts', 100)]
    """
    if older_than is not None and not older_than >= 0:
        raise InputError("a number of days of at least 0", older_than)
    cache = folder or cache_folder()
    found = [entry for path in _places(cache) for entry in _entries(cache, path)]
    if which == STALE:
        found = [entry for entry in found if entry.stale]
    elif which != EVERYTHING:
        names = [entry.name for entry in found]
        found = [entry for entry in found if fnmatch.fnmatchcase(entry.name, which)]
        if not found:
            advice = nearest(which, names) if names else "The cache is empty."
            raise InputError(f"all, stale, or the name of something in {cache}", repr(which), advice=advice)
    if older_than is not None:
        latest = time.time() - older_than * _SECONDS_OF_A_DAY
        found = [entry for entry in found if entry.last_used.timestamp() <= latest]
    return found


def clear_cache(entries: Sequence[CacheEntry]) -> list[CacheEntry]:
    """Remove entries of the cache, apart from those that a running process is writing.

    Processes that read features keep the files they have opened.

    Args:
        entries: From :func:`cache_entries`.

    Returns:
        The entries that were not removed, since a process is writing them.

    Raises:
        OSError: There is no permission to remove one.

    Example:
        >>> cache = getfixture("tmp_path")
        >>> (cache / "texts").mkdir()
        >>> clear_cache(cache_entries(folder=cache)), list(cache.iterdir())
        ([], [])
    """
    kept: list[CacheEntry] = []
    for entry in entries:
        with _held(entry.path) as is_ours:
            if not is_ours:
                kept.append(entry)
                continue
            # under another name first, so that nobody finds a part of it
            gone = entry.path.with_name(f"{_REMOVED}{secrets.token_hex(4)}")
            with contextlib.suppress(FileNotFoundError):
                entry.path.replace(gone)
        if gone.is_dir() and not gone.is_symlink():
            shutil.rmtree(gone)
        else:
            gone.unlink(missing_ok=True)
    return kept


def _places(cache: Path) -> list[Path]:
    places: list[Path] = []
    for path in _inside(cache):
        if path.is_dir() and path.name in _SEVERAL:
            places += _inside(path)
        elif path.name in _KNOWN or path.name.startswith(_REMOVED) or _of_dataset(path.name):
            places.append(path)
    return places


def _of_dataset(name: str) -> str:
    """Content of a folder of a published dataset; empty if it is none, such as a file of somebody else."""
    return next((about for pattern, about in _DOWNLOADED.items() if fnmatch.fnmatchcase(name, pattern)), "")


def _inside(folder: Path) -> list[Path]:
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        return sorted(
            path for path in folder.iterdir() if not path.name.startswith(".") or path.name.startswith(_REMOVED)
        )
    return []


def _entries(cache: Path, path: Path) -> Iterable[CacheEntry]:
    name = path.relative_to(cache).as_posix()
    if path.name.startswith(_REMOVED):
        yield _entry(name, path, "left by a removal that was interrupted", stale="half removed")
    elif name.startswith(f"{FEATURES}/"):
        yield _of_features(name, path)
    elif path.name == FILES:
        yield _entry(name, path, _KNOWN[FILES], last_used=_modified(path / RECIPE))
    else:
        yield _entry(name, path, _KNOWN.get(name.split("/")[0]) or _of_dataset(name))
    if (path / REPLACED).is_dir() and _inside(path / REPLACED):
        about = "parts of the cache that were merged into larger ones"
        yield _entry(f"{name}/{REPLACED}", path / REPLACED, about, stale="replaced")


def _of_features(name: str, path: Path) -> CacheEntry:
    try:
        recipe: dict[str, Any] = dict(json.loads((path / RECIPE).read_bytes()))
    except (OSError, ValueError, TypeError):
        old = (path / "key.json").is_file()
        return _entry(name, path, "features", stale="made by an earlier version" if old else f"without a {RECIPE}")
    parts = [str(recipe.get("backbone")), str(recipe.get("precision"))]
    if recipe.get("seed") is not None:
        parts.append(f"augmented with seed {recipe['seed']}")
    stale = "" if recipe.get("format") == FORMAT else "made by another version"
    images, rows = (None, None) if stale else _counts(path, recipe)
    return _entry(
        name, path, ", ".join(parts), images=images, rows=rows, last_used=_modified(path / RECIPE), stale=stale
    )


def _counts(folder: Path, recipe: dict[str, Any]) -> tuple[int | None, int | None]:
    """Number of images and of rows. All views of an image have the second word of their keys in common."""
    try:
        paths = [path for path in _inside(folder) if path.suffix == SUFFIX]
        parts = [Segment(path, int(recipe["num_features"]), np.dtype("<f4"), str(recipe["recipe"])) for path in paths]
    except (InputError, FileNotFoundError, KeyError, ValueError):  # damaged, or merged meanwhile
        return None, None
    keys = np.concatenate([np.zeros((2, 0), np.uint64), *(part.keys for part in parts)], axis=1)
    return len(np.unique(keys[1])), len(np.unique(keys.T, axis=0)) if len(parts) > 1 else keys.shape[1]


def _entry(
    name: str,
    path: Path,
    about: str,
    *,
    images: int | None = None,
    rows: int | None = None,
    last_used: float = 0.0,
    stale: str = "",
) -> CacheEntry:
    size, latest = 0, last_used
    for folder, folders, files in os.walk(path):
        if REPLACED in folders and Path(folder) == path:
            folders.remove(REPLACED)  # an entry of its own
        for file in files:
            with contextlib.suppress(OSError):
                status = os.lstat(os.path.join(folder, file))
                size, latest = size + status.st_size, max(latest, status.st_mtime)
    if not path.is_dir():
        size, latest = path.lstat().st_size, _modified(path)
    return CacheEntry(name, path, about, images, rows, size, datetime.fromtimestamp(latest or _modified(path)), stale)


def _modified(path: Path) -> float:
    try:
        return path.lstat().st_mtime
    except OSError:
        return 0.0


@contextmanager
def _held(path: Path) -> Generator[bool, None, None]:
    """Hold the locks of an entry, so that no process begins to write it; false if one is writing it."""
    with contextlib.ExitStack() as locks:
        place = path.parent if path.name == REPLACED else path
        free = not is_being_written(path)
        for file in place.rglob(f"{LOCK}-*") if place.is_dir() else ():
            lock = filelock.FileLock(file)
            try:
                lock.acquire(blocking=False)
                locks.callback(lock.release)
            except filelock.Timeout:
                free = False
            except NotImplementedError:  # a file system without locks
                continue
        yield free
