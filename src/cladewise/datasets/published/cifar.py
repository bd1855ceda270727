"""CIFAR-100: 60,000 images of 32 by 32 pixels in 20 coarse and 100 fine classes."""

from __future__ import annotations

import dataclasses
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cladewise.datasets.dataset import Dataset
from cladewise.datasets.published.made_up import picture
from cladewise.datasets.published.official_files import OfficialFiles, is_complete, official_folder
from cladewise.datasets.published.pickled_arrays import pickled, unpickled_arrays
from cladewise.datasets.published.picture_files import dataset_of_pictures
from cladewise.datasets.published.published_dataset import Facts, PublishedDataset
from cladewise.errors import InputError
from cladewise.taxonomy import Taxonomy

_SIDE = 32
_PIXELS = 3 * _SIDE * _SIDE
_SPLITS = ("train", "test")
_WHERE = "Unpack cifar-100-python.tar.gz or cifar-100-binary.tar.gz, and pass the resulting folder."
_CREDIT = "CIFAR-100: Krizhevsky, Learning multiple layers of features from tiny images, 2009"
_PYTHON, _BINARY = "cifar-100-python", "cifar-100-binary"
_PYTHON_FILES = ("meta", *_SPLITS)
_BINARY_FILES = ("train.bin", "test.bin", "coarse_label_names.txt", "fine_label_names.txt")


@dataclasses.dataclass(frozen=True)
class _Part:
    """Images of a split.

    Args:
        pixels: ``[image, channel, row, column]``.
        coarse: Coarse class of each image.
        fine: Fine class of each image.
    """

    pixels: NDArray[np.uint8]
    coarse: NDArray[np.int64]
    fine: NDArray[np.int64]


def from_cifar100(path: str | PathLike[str]) -> Dataset:
    """Read CIFAR-100 with its official splits ``train`` and ``test``, from its Python or its binary version.

    The images are written once as PNG files into the cache folder. The files of the Python version are pickles, which
    could run code; they are interpreted by a reader that only builds texts, numbers and arrays of bytes.

    Args:
        path: The folder with ``train``, ``test`` and ``meta`` (the Python version, ``cifar-100-python``), or with
            ``train.bin``, ``test.bin`` and the lists of names (``cifar-100-binary``), or the folder above.

    Raises:
        InputError: A file is missing or malformed.

    References:
        Krizhevsky, Learning multiple layers of features from tiny images, 2009.
    """
    files = OfficialFiles.at(path, "CIFAR-100", _WHERE, _PYTHON_FILES, (_PYTHON, _BINARY))
    is_python = any((files.root / name).is_file() for name in _PYTHON_FILES)
    if not is_python:
        files = OfficialFiles.at(path, "CIFAR-100", _WHERE, _BINARY_FILES, (_PYTHON, _BINARY))
    root = files.root
    coarse_names, fine_names = _names_in_pickle(files) if is_python else _names_in_texts(files)
    parts = {split: _unpickled(files, split) if is_python else _binary(files, split) for split in _SPLITS}
    for split, part in parts.items():
        _check_range(part.coarse, len(coarse_names), f"{root}/{split}")
        _check_range(part.fine, len(fine_names), f"{root}/{split}")
    coarse_of_fine = _coarse_of_fine(parts["train"], len(fine_names), root)
    paths = [(coarse_names[coarse_of_fine[fine]], fine_names[fine]) for fine in range(len(fine_names))]
    taxonomy = Taxonomy.from_paths(sorted(paths), level_names=("coarse", "fine"))
    node_by_path = {taxonomy.path_names(node): node for node in taxonomy}
    node_of_fine = np.array([node_by_path[names] for names in paths], dtype=np.int64)
    return dataset_of_pictures(
        {split: part.pixels for split, part in parts.items()},
        {split: node_of_fine[part.fine] for split, part in parts.items()},
        taxonomy,
        name="cifar-100",
        source={"kind": "cifar-100", "path": str(root)},
        credit=_CREDIT,
    )


def _recognises(given: Path) -> bool:
    inner = (_PYTHON, _BINARY)
    binary = official_folder(given, _BINARY_FILES, inner)
    if binary is not None and all((binary / name).is_file() for name in ("fine_label_names.txt", "train.bin")):
        return True
    folder = official_folder(given, _PYTHON_FILES, inner)
    return folder is not None and is_complete(folder, _PYTHON_FILES) and _fine_names(folder / "meta") is not None


def _fine_names(meta: Path) -> list[str] | None:
    """Names of the fine classes if a file is the ``meta`` of CIFAR-100, else None."""
    try:
        return unpickled_arrays(meta).get("fine_label_names")
    except InputError:
        return None


def _check_range(classes: NDArray[np.int64], count: int, at: str) -> None:
    if classes.size and not 0 <= int(classes.min()) <= int(classes.max()) < count:
        raise InputError(f"classes from 0 to {count - 1}", f"{classes.min()} to {classes.max()}", at=at)


def _coarse_of_fine(part: _Part, num_fine: int, root: Path) -> NDArray[np.int64]:
    coarse, fine = part.coarse, part.fine
    found = np.full(num_fine, -1, dtype=np.int64)
    found[fine] = coarse
    if (found < 0).any():
        raise InputError("training images of every fine class", f"none of number {int(np.argmin(found))}", at=str(root))
    if (found[fine] != coarse).any():
        torn = int(fine[found[fine] != coarse][0])
        raise InputError("every fine class in one coarse class", f"number {torn} in several", at=str(root))
    return found


def _names_in_texts(files: OfficialFiles) -> tuple[list[str], list[str]]:
    coarse, fine = (files.lines(f"{kind}_label_names.txt") for kind in ("coarse", "fine"))
    return coarse, fine


def _binary(files: OfficialFiles, split: str) -> _Part:
    file = files.file(f"{split}.bin")
    content = np.memmap(file, dtype=np.uint8, mode="r") if file.stat().st_size else np.zeros(0, dtype=np.uint8)
    if content.size % (_PIXELS + 2):
        raise InputError(f"rows of {_PIXELS + 2} bytes", f"{content.size} bytes", at=str(file), advice=_WHERE)
    rows = content.reshape(-1, _PIXELS + 2)
    pixels = rows[:, 2:].reshape(-1, 3, _SIDE, _SIDE)
    return _Part(pixels, rows[:, 0].astype(np.int64), rows[:, 1].astype(np.int64))


def _names_in_pickle(files: OfficialFiles) -> tuple[list[str], list[str]]:
    meta = files.file("meta")
    found = unpickled_arrays(meta)
    coarse, fine = (_value(found, f"{kind}_label_names", meta) for kind in ("coarse", "fine"))
    return [str(name) for name in coarse], [str(name) for name in fine]


def _unpickled(files: OfficialFiles, split: str) -> _Part:
    file = files.file(split)
    found = unpickled_arrays(file)
    pixels, coarse, fine = (_value(found, key, file) for key in ("data", "coarse_labels", "fine_labels"))
    if np.ndim(pixels) != 2 or pixels.shape != (len(fine), _PIXELS) or len(coarse) != len(fine):
        expected = f"{_PIXELS} bytes and two classes per image"
        got = f"data of shape {np.shape(pixels)} and {len(coarse)} and {len(fine)} classes"
        raise InputError(expected, got, at=str(file), advice=_WHERE)
    labels = (np.array(kind, dtype=np.int64) for kind in (coarse, fine))
    return _Part(pixels.reshape(-1, 3, _SIDE, _SIDE), *labels)


def _value(found: dict[str, Any], key: str, file: Path) -> Any:
    if key not in found:
        raise InputError(f"an entry {key!r}", ", ".join(map(str, found)) or "none", at=str(file), advice=_WHERE)
    return found[key]


def _write_made_up(folder: Path, images_per_class: int, random: np.random.Generator) -> dict[str, Any]:
    classes = {"fish": ("ray", "trout"), "flowers": ("orchid", "poppy", "rose"), "trees": ("maple", "oak")}
    coarse_names = list(classes)
    fine_names = sorted(name for names in classes.values() for name in names)
    coarse_of_fine = [next(k for k, names in enumerate(classes.values()) if fine in names) for fine in fine_names]
    root = folder / _PYTHON
    root.mkdir(exist_ok=True)
    (root / "meta").write_bytes(pickled({"fine_label_names": fine_names, "coarse_label_names": coarse_names}))
    for split in _SPLITS:
        fine = random.permutation(np.repeat(np.arange(len(fine_names)), images_per_class)).tolist()
        pixels = np.array([picture(number, random, _SIDE).transpose(2, 0, 1).reshape(-1) for number in fine])
        content = {
            "filenames": [f"{fine_names[number]}_{image:06d}.png" for image, number in enumerate(fine)],
            "batch_label": f"{split}ing batch 1 of 1",
            "fine_labels": fine,
            "coarse_labels": [coarse_of_fine[number] for number in fine],
            "data": pixels,
        }
        (root / split).write_bytes(pickled(content))
    return {"path": str(root)}


CIFAR_100 = PublishedDataset(
    name="cifar-100",
    description="60,000 small pictures in 100 classes of 20 coarse ones; pass path= to a copy on disk",
    read=from_cifar100,
    facts=Facts(
        levels={"coarse": 20, "fine": 100},
        images={"train": 50_000, "test": 10_000},
        licence="none stated",
        citation="Krizhevsky, Learning multiple layers of features from tiny images, 2009",
        where=f"Get it from https://www.cs.toronto.edu/~kriz/cifar.html. {_WHERE}",
        files={
            "meta": "names of the classes",
            "train": "pixels and classes of the training images",
            "test": "the same for the test images",
        },
        notes=(
            "The binary version is read too: train.bin, test.bin, coarse_label_names.txt and fine_label_names.txt.",
        ),
    ),
    recognises=_recognises,
    write_made_up=_write_made_up,
)
