"""Digests of images, labels and files: short texts that change as soon as any of these does."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cladewise.datasets import Dataset
from cladewise.errors import InputError

IntArray = NDArray[np.int64]

_AT_ONCE = 1 << 16
_PLACES = ("path", "root", "taxonomy", "hierarchy", "wordnet")
"""Entries of a dataset's ``source`` that name files or folders."""


def labels_digest(dataset: Dataset, indices: IntArray) -> str:
    """Hash of the paths, labels and indices of some images.

    Example:
        >>> from cladewise import Taxonomy
        >>> t = Taxonomy.from_paths([("a",), ("b",)])
        >>> photos = [Dataset("d", t, Path(), ["1.png", "2.png"], np.array(nodes), {}) for nodes in ([1, 2], [2, 2])]
        >>> first, corrected = (labels_digest(each, np.arange(2)) for each in photos)
        >>> first == corrected
        False
    """
    digest = hashlib.sha256(np.ascontiguousarray(indices, dtype="<i8").tobytes())
    digest.update(np.ascontiguousarray(dataset.nodes[indices], dtype="<i8").tobytes())
    for paths in _paths(dataset, indices):
        digest.update("\0".join([*paths, ""]).encode(errors="surrogateescape"))
    return digest.hexdigest()[:32]


def images_digest(dataset: Dataset, indices: IntArray) -> str:
    """Hash of :func:`labels_digest` and of each file's size and modification time; empty if none of the files exists.

    Moving the whole folder keeps the hash; replacing or removing a file changes it.
    """
    digest = hashlib.sha256(labels_digest(dataset, indices).encode())
    root, missing = os.fspath(dataset.root), 0
    for paths in _paths(dataset, indices):
        marks = np.full((len(paths), 2), -1, dtype="<i8")
        for row, path in enumerate(paths):
            try:
                status = os.stat(os.path.join(root, path))
            except (OSError, ValueError):
                missing += 1
            else:
                marks[row] = status.st_size, status.st_mtime_ns
        digest.update(marks.tobytes())
    return "" if 0 < len(indices) == missing else digest.hexdigest()[:32]


def training_digest(dataset: Dataset, train_split: str, val_split: str) -> str:
    """Hash of the paths and labels of the training and validation images."""
    splits = [train_split, *([val_split] if val_split in dataset.splits else [])]
    return labels_digest(dataset, np.concatenate([dataset.indices(split) for split in splits]))


def is_gone(source: Mapping[str, Any], error: InputError | OSError) -> bool:
    """Whether a dataset cannot be opened because it no longer exists, rather than because it has changed.

    Args:
        source: The source of the dataset, as in a run's configuration.
        error: The error of opening it.
    """
    places = [Path(str(source[name])) for name in _PLACES if name in source]
    return isinstance(error, OSError) or not places or any(map(_is_empty, places))


def file_hash(path: Path) -> str:
    """Hash of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _is_empty(place: Path) -> bool:
    """Whether a place does not exist or is an empty folder, such as the mount point of an unmounted disk."""
    return not place.exists() or (place.is_dir() and next(place.iterdir(), None) is None)


def _paths(dataset: Dataset, indices: IntArray) -> Iterator[list[str]]:
    for start in range(0, len(indices), _AT_ONCE):
        yield [dataset.paths[i] for i in map(int, indices[start : start + _AT_ONCE])]
