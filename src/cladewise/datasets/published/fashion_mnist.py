"""Fashion-MNIST: 70,000 small grey pictures of ten kinds of clothes and accessories."""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cladewise.datasets.dataset import Dataset
from cladewise.datasets.published.fact_tables import fact_table
from cladewise.datasets.published.made_up import picture
from cladewise.datasets.published.official_files import OfficialFiles, official_folder
from cladewise.datasets.published.picture_files import dataset_of_pictures
from cladewise.datasets.published.published_dataset import Facts, PublishedDataset
from cladewise.errors import InputError
from cladewise.taxonomy import Taxonomy

_NAME = "fashion-mnist"
_INNER = ("FashionMNIST/raw", "raw")
_SIDE = 28
_PREFIXES = {"train": "train", "test": "t10k"}
_PICTURES, _LABELS = "images-idx3-ubyte", "labels-idx1-ubyte"
_FILES = tuple(
    (f"{prefix}-{name}.gz", f"{prefix}-{name}") for prefix in _PREFIXES.values() for name in (_PICTURES, _LABELS)
)
_WHERE = "Get the four .gz files from https://github.com/zalandoresearch/fashion-mnist; they may stay compressed."


def from_fashion_mnist(path: str | PathLike[str]) -> Dataset:
    """Read Fashion-MNIST with its official splits ``train`` and ``test``, in the published groups of its classes.

    The images are written once as PNG files into the cache folder. The files have no tree; the levels ``group`` (2) and
    ``kind`` (6) above the ten classes are those of Seo and Shin (References).

    Args:
        path: The folder with the four IDX files, compressed (``train-images-idx3-ubyte.gz``) or not, or the folder
            above with ``FashionMNIST/raw``, as torchvision has it.

    Raises:
        InputError: A file is missing or malformed.

    Example:
        >>> from cladewise.datasets import write_made_up
        >>> options = write_made_up("fashion-mnist", getfixture("tmp_path"))
        >>> from_fashion_mnist(options["path"]).taxonomy.level_names
        ('group', 'kind', 'class')

    References:
        Xiao, Rasul and Vollgraf, Fashion-MNIST: a novel image dataset for benchmarking machine learning algorithms,
        2017, arXiv:1708.07747. Groups: Seo and Shin, Hierarchical convolutional neural networks for fashion image
        classification, Expert Systems with Applications 116, 2019.
    """
    files = OfficialFiles.at(path, "Fashion-MNIST", _WHERE, _FILES, _INNER)
    levels, names = fact_table("fashion_mnist")
    pixels: dict[str, NDArray[np.uint8]] = {}
    labels: dict[str, NDArray[np.uint8]] = {}
    for split, prefix in _PREFIXES.items():
        place = files.file(f"{prefix}-{_PICTURES}.gz", f"{prefix}-{_PICTURES}")
        pixels[split] = _idx(place, 3)
        labels[split] = _idx(files.file(f"{prefix}-{_LABELS}.gz", f"{prefix}-{_LABELS}"), 1)
        if len(pixels[split]) != len(labels[split]):
            got = f"{len(pixels[split]):,} pictures and {len(labels[split]):,} labels"
            raise InputError("a label for each picture", got, at=str(place), advice=_WHERE)
        if labels[split].size and labels[split].max() >= len(names):
            raise InputError(f"classes from 0 to {len(names) - 1}", labels[split].max(), at=str(place))
    taxonomy = Taxonomy.from_paths(sorted(names), level_names=levels)
    node_by_path = {taxonomy.path_names(node): node for node in taxonomy}
    node_of_class = np.array([node_by_path[row] for row in names], dtype=np.int64)
    return dataset_of_pictures(
        pixels,
        {split: node_of_class[classes] for split, classes in labels.items()},
        taxonomy,
        name=_NAME,
        source={"kind": _NAME, "path": str(files.root)},
        credit="Fashion-MNIST: Xiao, Rasul and Vollgraf 2017, MIT licence",
    )


def _idx(file: Path, num_axes: int) -> NDArray[np.uint8]:
    """The array of bytes in an IDX file: two zeros, the type 8, the number of axes, their sizes, the content."""
    try:
        content = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise InputError("a complete gzip file", str(error), at=str(file), advice=_WHERE) from None
    if content[:4] != bytes([0, 0, 8, num_axes]):
        got = f"the beginning {content[:4].hex()}"
        raise InputError(f"an IDX file of bytes with {num_axes} axes", got, at=str(file), advice=_WHERE)
    start = 4 + 4 * num_axes
    if len(content) < start:
        raise InputError(f"a header of {start} bytes", f"{len(content)}", at=str(file), advice=_WHERE)
    shape = struct.unpack(f">{num_axes}I", content[4:start])
    size = math.prod(shape)
    if len(content) - start != size:
        got = f"{len(content) - start:,}"
        raise InputError(f"{size:,} bytes after the header", got, at=str(file), advice=_WHERE)
    return np.frombuffer(content, dtype=np.uint8, offset=start).reshape(shape)


def _recognises(folder: Path) -> bool:
    """Whether a folder has the files and a name that tells them from MNIST's, which are called the same."""
    found = official_folder(folder, _FILES, _INNER)
    if found is None:
        return False
    called = "".join((*folder.absolute().parts[-2:], *found.parts[-2:])).lower().replace("-", "").replace("_", "")
    return "fashionmnist" in called


def _write_made_up(folder: Path, images_per_class: int, random: np.random.Generator) -> dict[str, Any]:
    root = folder / _INNER[0]
    root.mkdir(parents=True, exist_ok=True)
    for prefix in _PREFIXES.values():
        labels = random.permutation(np.repeat(np.arange(10, dtype=np.uint8), images_per_class))
        grey = np.array([picture(number, random, _SIDE).mean(axis=2).astype(np.uint8) for number in labels.tolist()])
        for name, values in ((_PICTURES, grey), (_LABELS, labels)):
            header = bytes([0, 0, 8, values.ndim]) + np.array(values.shape, dtype=">u4").tobytes()
            (root / f"{prefix}-{name}").write_bytes(header + values.tobytes())
    return {"path": str(folder)}


FASHION_MNIST = PublishedDataset(
    name=_NAME,
    description="70,000 small grey pictures of 10 classes of clothes, 3 levels; pass path= to a copy on disk",
    read=from_fashion_mnist,
    facts=Facts(
        levels={"group": 2, "kind": 6, "class": 10},
        images={"train": 60_000, "test": 10_000},
        licence="MIT",
        citation=(
            "Xiao, Rasul and Vollgraf, Fashion-MNIST: a novel image dataset for benchmarking machine learning "
            "algorithms, 2017; groups: Seo and Shin, Hierarchical convolutional neural networks for fashion image "
            "classification, Expert Systems with Applications 116, 2019"
        ),
        where=_WHERE,
        files={
            f"{prefix}-{name}": f"{what}; may end in .gz"
            for prefix in _PREFIXES.values()
            for name, what in ((_PICTURES, "pictures"), (_LABELS, "their classes"))
        },
    ),
    recognises=_recognises,
    write_made_up=_write_made_up,
)
