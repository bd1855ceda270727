"""Images identified by the content of their files, whatever these are called and wherever they are."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import time
from pathlib import Path
from typing import Literal

import numpy as np
import PIL
import torch
import torch.utils.data
from PIL.Image import Image
from torch import Tensor

from cladewise.backbones import Transform
from cladewise.datasets.dataset import Dataset, IntArray, Skipped
from cladewise.datasets.files.decoding import UnreadableImageError, decode, known_formats, opened
from cladewise.engine.feeding.feature_store import FeatureStore
from cladewise.engine.feeding.images import AnyTransform
from cladewise.engine.feeding.segments import Keys

Verification = Literal["stat", "content"]
Key = tuple[int, int]

SETTLED_AFTER = 2_000_000_000
"""Nanoseconds after its last change until a file is recognised by its time: coarse clocks hide a further change."""
READ_WHOLE = 1 << 28
"""Largest file, in bytes, that is held in memory to be hashed and decoded; larger ones are read twice."""

_MARKS = {"recipe": "files", "format": 1, "what": "hash of absolute path, size and modification time -> content"}
_GOLDEN = 0x9E3779B97F4A7C15  # odd, so that its multiples are all different


def file_marks(folder: Path) -> FeatureStore:
    """The content of files by their path, size and modification time, so that they need not be read again."""
    return FeatureStore(folder, 2, "u8", _MARKS)


def marks(dataset: Dataset, indices: IntArray) -> Keys:
    """A key of each file's absolute path, size and modification time; zeros for missing files."""
    root = os.path.abspath(dataset.root)
    found = np.zeros((len(indices), 2), dtype=np.uint64)
    for row, index in enumerate(map(int, indices)):
        path = os.path.join(root, dataset.paths[index])
        try:
            found[row] = _mark(path, os.stat(path))
        except (OSError, ValueError):  # missing, or a name that no file can have
            continue
    return found.T


def view_keys(contents: Keys, view: int) -> Keys:
    """The keys of one view of images: those of their contents for view 0.

    Example:
        >>> contents = np.array([[1, 2], [3, 4]], dtype=np.uint64)
        >>> view_keys(contents, 0).tolist(), (view_keys(contents, 1) == contents).all(1).tolist()
        ([[1, 2], [3, 4]], [False, True])
    """
    return np.stack([contents[0] ^ np.uint64(view * _GOLDEN % (1 << 64)), contents[1]])


def decoders() -> str:
    """The image decoders: an image that one cannot read may be readable by another."""
    return f"Pillow {PIL.__version__} {' '.join(known_formats())}"


@dataclasses.dataclass(frozen=True)
class Keyed:
    """An image by its content.

    Args:
        index: Its index in the dataset.
        content: Hash of the file; ``None`` if the file could not be read.
        mark: Key of the file's path, size and time, if it identifies the content.
        views: The transformed copies ``[view, channel, height, width]``; ``None`` if they are not needed, or why the
            image could not be read.
        lasts: Whether it stays unreadable as long as the content is the same.
    """

    index: int
    content: Key | None
    mark: Key | None
    views: Tensor | Skipped | None
    lasts: bool = False


class KeyedImages(torch.utils.data.Dataset[Keyed]):
    """Images of a dataset, read, hashed, decoded and transformed on access; each file is read once.

    Random transforms depend only on the seed, the content of the image and the view.

    Args:
        dataset: The dataset of the images.
        indices: The images, in order.
        transform: Maps a picture to a tensor.
        store: Features that are known; such images are not decoded.
        views: Number of transformed copies of each image.
        seed: Seed of the augmentation; ``None`` for a transform without chance, of which threads may take images.
    """

    def __init__(
        self,
        dataset: Dataset,
        indices: IntArray,
        transform: AnyTransform,
        store: FeatureStore,
        *,
        views: int,
        seed: int | None,
    ) -> None:
        self._root, self._paths = os.path.abspath(dataset.root), dataset.paths
        self._indices, self._store = indices, store
        self._transform, self._views, self._seed = transform, views, seed
        self._decode_size = transform.decode_size if isinstance(transform, Transform) else None

    @property
    def is_random(self) -> bool:
        """Whether transforms draw from torch's generator, of which a process has only one."""
        return self._seed is not None

    def __len__(self) -> int:
        return len(self._indices)

    def __getitem__(self, position: int) -> Keyed:
        index = int(self._indices[position])
        path, key, mark = self._paths[index], None, None
        try:
            whole = os.path.join(self._root, path)
            content, key, mark = _read(whole)
            if self._is_known(key):
                return Keyed(index, key, mark, None)
            picture = decode(whole, size=self._decode_size, content=content)
            return Keyed(index, key, mark, self._transformed(key, picture))
        except UnreadableImageError as error:
            return Keyed(index, key, mark, Skipped(path, error.reason), key is not None and _lasts(error.__cause__))
        except Exception as error:  # one image that is too large or breaks a transform must not end the run
            detail = " ".join(f"{type(error).__name__}: {error}".split())[:200]
            reason = f"an image that cannot be transformed ({detail})"
            return Keyed(index, key, mark, Skipped(path, reason), key is not None and _lasts(error))

    def _is_known(self, key: Key) -> bool:
        content = np.array([key], dtype=np.uint64).T
        segments = self._store.segments
        found = all(segments.find(view_keys(content, view))[0] >= 0 for view in range(self._views))
        return found or bool(segments.failures(content))

    def _transformed(self, key: Key, picture: Image) -> Tensor:
        if self._seed is None:
            return self._transform(picture)[None]
        views: list[Tensor] = []
        with torch.random.fork_rng(devices=[]):
            for view in range(self._views):
                state = np.random.SeedSequence((self._seed, *key, view)).generate_state(1, np.uint64)[0]
                torch.default_generator.manual_seed(int(state >> np.uint64(1)))
                views.append(self._transform(picture))
        return torch.stack(views)


def _read(path: str) -> tuple[bytes | None, Key, Key | None]:
    """The content of a file unless it is very large, its hash, and its mark if that identifies it."""
    with opened(path) as file:
        try:
            before = os.fstat(file.fileno())
            if before.st_size > READ_WHOLE:
                content, digest = None, hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16))
            else:
                content = file.read()
                digest = hashlib.blake2b(content, digest_size=16)
            after = os.fstat(file.fileno())
        except OSError as error:
            raise UnreadableImageError(path, f"a file that cannot be read ({error.strerror})") from error
    steady = (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns)
    settled = time.time_ns() - after.st_mtime_ns > SETTLED_AFTER
    return content, _words(digest.digest()), _mark(path, after) if steady and settled else None


def _mark(path: str, status: os.stat_result) -> Key:
    text = os.fsencode(path) + b"\0%d %d" % (status.st_size, status.st_mtime_ns)
    return _words(hashlib.blake2b(text, digest_size=16).digest())


def _words(digest: bytes) -> Key:
    return int.from_bytes(digest[:8], "little"), int.from_bytes(digest[8:], "little")


def _lasts(cause: BaseException | None) -> bool:
    """Whether a failure comes from the content and not from the machine: no memory, a disk that cannot be read."""
    return not isinstance(cause, MemoryError) and not (isinstance(cause, OSError) and cause.errno is not None)
