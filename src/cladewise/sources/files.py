"""Images named one by one: files, the images in folders, what patterns match, and URIs."""

from __future__ import annotations

import glob
import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl

from cladewise.datasets.files.decoding import is_meant_as_image
from cladewise.datasets.files.walking import walk
from cladewise.errors import InputError
from cladewise.sources.formats import SUFFIXES
from cladewise.sources.places import local, scheme, suffix
from cladewise.sources.source import Chunk, Row, ranges
from cladewise.sources.storage import Storage


@dataclass(frozen=True, slots=True)
class FileSource:
    """Images in files of their own, each once.

    Args:
        paths: Paths and URIs.
        storage: Access to them.
        notes: What was left out.

    Example:
        >>> source = FileSource(("a.jpg", "b.jpg"))
        >>> [row.name for chunk in source.chunks(1) for row in source.rows(chunk)]
        ['a.jpg', 'b.jpg']
    """

    paths: tuple[str, ...]
    storage: Storage = field(default_factory=Storage)
    notes: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        return "files"

    @property
    def columns(self) -> dict[str, pl.DataType]:
        return {}

    @property
    def identity(self) -> dict[str, Any]:
        """The digest covers every path, and size and time of those on this machine."""
        digest = hashlib.sha256()
        for path in self.paths:
            digest.update(f"{path}\0{_state(path)}\0".encode(errors="surrogateescape"))
        return {"kind": self.kind, "num_rows": len(self.paths), "digest": digest.hexdigest()[:32]}

    @property
    def num_rows(self) -> int:
        return len(self.paths)

    @property
    def is_remote(self) -> bool:
        return any(map(scheme, self.paths))

    def chunks(self, size: int) -> list[Chunk]:
        return ranges("", len(self.paths), size)

    def rows(self, chunk: Chunk) -> Iterator[Row]:
        for path in self.paths[chunk.start : chunk.stop]:
            yield Row(path, partial(self.storage.read_image, path))


def find_images(words: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Files, the images in folders, whatever patterns match, and URIs; each once, in order.

    Files in folders, and files that a pattern matches, are left out where neither their content nor their name is that
    of an image. A file that is named on its own is kept, whatever it is.

    Returns:
        The paths, and sentences about files that were named twice or left out.

    Raises:
        InputError: A word matches nothing, or no image.

    Example:
        >>> find_images(["https://example.org/a.jpg", "https://example.org/a.jpg"])
        (('https://example.org/a.jpg',), ('named more than once, and taken once: https://example.org/a.jpg',))
    """
    matched = [_matches(word) for word in words]
    found: dict[str, str] = {}
    again: list[str] = []
    for path in (path for images, _ in matched for path in images):
        key = path if scheme(path) else os.path.abspath(path)
        if key in found:
            again.append(path)
        else:
            found[key] = path
    others = [path for _, rest in matched for path in rest]
    told = {"named more than once, and taken once": again, "left out, since they are no images": others}
    notes = tuple(f"{text}: {_some(paths)}" for text, paths in told.items() if paths)
    return tuple(found.values()), notes


def local_matches(pattern: str) -> list[str]:
    """The files that a pattern matches on this machine, in order."""
    return sorted(str(Path(path)) for path in glob.glob(pattern, recursive=True) if not Path(path).is_dir())


def _matches(word: str) -> tuple[list[str], list[str]]:
    """The images that a word stands for, and the other files that it matches."""
    if scheme(word):
        return [word], []
    path = Path(local(word))
    if os.path.lexists(path) and not path.is_dir():
        return [str(path)], []
    files = [str(path / name) for name in walk(path)] if path.is_dir() else local_matches(local(word))
    images: list[str] = []
    others: list[str] = []
    for file in files:
        (images if is_meant_as_image(file) else others).append(file)
    if not images:
        got = f"{word!r}, where no file is an image" if others else repr(word)
        known = [end for end in dict.fromkeys(map(suffix, others)) if end in SUFFIXES]
        named = [f"Name its {end} files: {os.path.join(path, f'*{end}')!r}." for end in known if path.is_dir()]
        raise InputError("image files, folders or patterns that match some", got, advice="".join(named[:1]))
    return images, others


def _some(paths: Sequence[str]) -> str:
    return ", ".join(paths[:3]) + (f" and {len(paths) - 3} more" if len(paths) > 3 else "")


def _state(path: str) -> str:
    if scheme(path):
        return ""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return "missing"
    return f"{status.st_size} {status.st_mtime_ns}"
