"""Datasets that keep the pictures of a split in one array; the cache folder has them as files."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import filelock
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cladewise.cache import cache_folder
from cladewise.datasets.dataset import Dataset
from cladewise.progress import track
from cladewise.taxonomy import Taxonomy


def dataset_of_pictures(
    pixels: Mapping[str, NDArray[np.uint8]],
    nodes: Mapping[str, NDArray[np.int64]],
    taxonomy: Taxonomy,
    *,
    name: str,
    source: Mapping[str, Any],
    credit: str,
) -> Dataset:
    """The dataset of some pictures, which are written as PNG files into the cache folder unless they are there.

    Args:
        pixels: Pictures of each split, ``[image, row, column]`` in grey or ``[image, channel, row, column]``.
        nodes: Node of each picture of each split.
        taxonomy: The tree.
        name: Name of the dataset.
        source: Arguments that recreate it.
        credit: Authors and licence of the pictures.
    """
    splits: dict[str, NDArray[np.int64]] = {}
    start = 0
    for split, pictures in pixels.items():
        splits[split] = np.arange(start, start + len(pictures))
        start += len(pictures)
    return Dataset(
        name=name,
        taxonomy=taxonomy,
        root=_picture_files(name, pixels),
        paths=tuple(_path(split, number) for split, pictures in pixels.items() for number in range(len(pictures))),
        nodes=np.concatenate([nodes[split] for split in pixels]),
        splits=splits,
        source=source,
        credit=credit,
    )


def _picture_files(name: str, pixels: Mapping[str, NDArray[np.uint8]]) -> Path:
    """Folder with every picture as a file, written once; it is named by the content."""
    digest = hashlib.sha256()
    for pictures in pixels.values():
        digest.update(np.ascontiguousarray(pictures))  # pyright: ignore[reportArgumentType] -- NumPy 1 has no stub of it
    folder = cache_folder() / f"{name}-{digest.hexdigest()[:16]}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(f"{folder}.lock"):
        if folder.is_dir():
            return folder
        temporary = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=folder.parent))
        try:
            for split, pictures in pixels.items():
                (temporary / split).mkdir()
                for number, picture in enumerate(track(pictures, f"pictures of {split}")):
                    image = picture if picture.ndim == 2 else picture.transpose(1, 2, 0)
                    Image.fromarray(image).save(temporary / _path(split, number))
            temporary.chmod(0o755)
            os.rename(temporary, folder)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    return folder


def _path(split: str, number: int) -> str:
    return f"{split}/{number:05d}.png"
