"""CIFAR-100: 60,000 images of 32 by 32 pixels in 20 coarse and 100 fine classes."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from os import PathLike
from pathlib import Path

import filelock
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cladewise.cache import cache_folder
from cladewise.datasets.dataset import Dataset
from cladewise.datasets.files.walking import existing_folder
from cladewise.errors import InputError
from cladewise.progress import track
from cladewise.taxonomy import Taxonomy

_SIDE = 32
_PIXELS = 3 * _SIDE * _SIDE
_SPLITS = ("train", "test")
_ADVICE = "Unpack cifar-100-binary.tar.gz, and pass the resulting folder."
_CREDIT = "CIFAR-100: Krizhevsky, Learning multiple layers of features from tiny images, 2009"

Part = tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.int64]]
"""Pixels [image, channel, row, column], and the coarse and fine class of each image."""


def from_cifar100(path: str | PathLike[str]) -> Dataset:
    """Read CIFAR-100 in its binary version, with its official splits ``train`` and ``test``.

    The images are written once as PNG files into the cache folder. The Python version of the dataset consists of
    pickles, which can run arbitrary code, and is not read.

    Args:
        path: The folder with ``train.bin``, ``test.bin`` and the lists of names.

    Raises:
        InputError: A file is missing or malformed.

    References:
        Krizhevsky, Learning multiple layers of features from tiny images, 2009.
    """
    root = existing_folder(path)
    coarse_names, fine_names = (_names(root, kind) for kind in ("coarse", "fine"))
    parts = {split: _part(root, split) for split in _SPLITS}
    coarse_of_fine = _coarse_of_fine(parts["train"], len(fine_names), root)
    paths = [(coarse_names[coarse_of_fine[fine]], fine_names[fine]) for fine in range(len(fine_names))]
    taxonomy = Taxonomy.from_paths(sorted(paths), level_names=("coarse", "fine"))
    node_by_path = {taxonomy.path_names(node): node for node in taxonomy}
    node_of_fine = np.array([node_by_path[names] for names in paths], dtype=np.int64)
    images = [f"{split}/{number:05d}.png" for split in _SPLITS for number in range(len(parts[split][0]))]
    sizes = [len(parts[split][0]) for split in _SPLITS]
    return Dataset(
        name="cifar-100",
        taxonomy=taxonomy,
        root=_pictures(parts),
        paths=tuple(images),
        nodes=node_of_fine[np.concatenate([parts[split][2] for split in _SPLITS])],
        splits={"train": np.arange(sizes[0]), "test": np.arange(sizes[0], sum(sizes))},
        source={"kind": "cifar-100", "path": str(root)},
        credit=_CREDIT,
    )


def _pictures(parts: dict[str, Part]) -> Path:
    """Folder with every image as a file, created atomically."""
    digest = hashlib.sha256()
    for pixels, _, _ in parts.values():
        digest.update(pixels.tobytes())
    folder = cache_folder() / f"cifar-100-{digest.hexdigest()[:16]}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(f"{folder}.lock"):
        if folder.is_dir():
            return folder
        temporary = Path(tempfile.mkdtemp(prefix=".cifar-100-", dir=folder.parent))
        try:
            for split, (pixels, _, _) in parts.items():
                (temporary / split).mkdir()
                for number, picture in enumerate(track(pixels, f"pictures of {split}")):
                    Image.fromarray(picture.transpose(1, 2, 0)).save(temporary / split / f"{number:05d}.png")
            temporary.chmod(0o755)
            os.rename(temporary, folder)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    return folder


def _coarse_of_fine(part: Part, num_fine: int, root: Path) -> NDArray[np.int64]:
    _, coarse, fine = part
    found = np.full(num_fine, -1, dtype=np.int64)
    found[fine] = coarse
    if (found < 0).any():
        raise InputError("training images of every fine class", f"none of number {int(np.argmin(found))}", at=str(root))
    if (found[fine] != coarse).any():
        torn = int(fine[found[fine] != coarse][0])
        raise InputError("every fine class in one coarse class", f"number {torn} in several", at=str(root))
    return found


def _names(root: Path, kind: str) -> list[str]:
    return _file(root, f"{kind}_label_names.txt").read_text(encoding="utf-8").split()


def _part(root: Path, split: str) -> Part:
    file = _file(root, f"{split}.bin")
    content = np.fromfile(file, dtype=np.uint8)
    if content.size % (_PIXELS + 2):
        raise InputError(f"rows of {_PIXELS + 2} bytes", f"{content.size} bytes", at=str(file), advice=_ADVICE)
    rows = content.reshape(-1, _PIXELS + 2)
    pixels = rows[:, 2:].reshape(-1, 3, _SIDE, _SIDE)
    return pixels, rows[:, 0].astype(np.int64), rows[:, 1].astype(np.int64)


def _file(root: Path, name: str) -> Path:
    if not (root / name).is_file():
        raise InputError(f"the file {name} of CIFAR-100", "none", at=str(root), advice=_ADVICE)
    return root / name
