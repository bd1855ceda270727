"""Pictures that a dataset keeps in one array, as files in the cache folder."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

import filelock
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cladewise.cache import cache_folder
from cladewise.progress import track


def picture_files(name: str, pixels: Mapping[str, NDArray[np.uint8]]) -> Path:
    """Folder with every picture as ``<split>/<number>.png``, written once; it is named by the content.

    Args:
        name: Name of the dataset.
        pixels: Pictures of each split, ``[image, row, column]`` in grey or ``[image, channel, row, column]``.
    """
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
                    Image.fromarray(image).save(temporary / split / f"{number:05d}.png")
            temporary.chmod(0o755)
            os.rename(temporary, folder)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    return folder


def picture_paths(pixels: Mapping[str, NDArray[np.uint8]]) -> list[str]:
    """Path of every picture in the folder of :func:`picture_files`."""
    return [f"{split}/{number:05d}.png" for split, pictures in pixels.items() for number in range(len(pictures))]
