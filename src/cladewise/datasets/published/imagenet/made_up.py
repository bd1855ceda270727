"""Small made-up files in the layouts of ImageNet, of tieredImageNet-H and of their trees."""

from __future__ import annotations

import itertools
import lzma
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cladewise.datasets.published.made_up import write_picture

_PAIRS = (  # physical entity above animals, vehicles and an alp
    ("n00001930", "n00015388"),
    ("n00015388", "n02084071"),
    ("n02084071", "n02099601"),
    ("n02084071", "n02106662"),
    ("n00015388", "n02121808"),
    ("n02121808", "n02123045"),
    ("n02121808", "n02123394"),
    ("n00001930", "n04524313"),
    ("n04524313", "n02958343"),
    ("n02958343", "n02701002"),
    ("n02958343", "n04285008"),
    ("n04524313", "n04467665"),
    ("n00001930", "n09193705"),
)
_CLASSES = sorted({child for _, child in _PAIRS} - {parent for parent, _ in _PAIRS})


def write_made_up_imagenet(folder: Path, images_per_class: int, random: np.random.Generator) -> dict[str, Any]:
    """Write made-up images of eight classes, sorted into folders as torchvision does, and a tree of them.

    Example:
        >>> from cladewise.datasets.published.imagenet.reading import from_imagenet
        >>> options = write_made_up_imagenet(getfixture("tmp_path"), 2, np.random.default_rng(0))
        >>> from_imagenet(**options).taxonomy
        Taxonomy(14 nodes, 8 leaves, 3 levels, root 'physical entity')
    """
    write_class_folders(folder / "imagenet", _CLASSES, {"train": images_per_class, "val": images_per_class}, random)
    return {"path": str(folder / "imagenet"), "hierarchy": str(_clone(folder, "imagenet"))}


def write_made_up_tiered_imagenet(folder: Path, images_per_class: int, random: np.random.Generator) -> dict[str, Any]:
    """Write made-up images of eight classes, and a tree, split lists and distances as in the published repository.

    Example:
        >>> from cladewise.datasets.published.imagenet.tiered import from_tiered_imagenet
        >>> options = write_made_up_tiered_imagenet(getfixture("tmp_path"), 2, np.random.default_rng(0))
        >>> {split: images.size for split, images in from_tiered_imagenet(**options).splits.items()}
        {'train': 16, 'val': 16, 'test': 16}
    """
    written = write_class_folders(
        folder / "imagenet", _CLASSES, {"train": 2 * images_per_class, "val": images_per_class}, random
    )
    lists = {
        "test": {one: written["val"][one] for one in _CLASSES},
        "train": {one: written["train"][one][:images_per_class] for one in _CLASSES},
        "val": {one: written["train"][one][images_per_class:] for one in _CLASSES},
    }
    clone = _clone(folder, "tiered_imagenet")
    (clone / "dataset_splits").mkdir(exist_ok=True)
    with zipfile.ZipFile(clone / "dataset_splits" / "splits_tiered.zip", "w") as archive:
        for split, classes in lists.items():
            for one, names in classes.items():
                archive.writestr(f"splits_tieredImageNet-H/{split}/{one}.txt", "".join(f"{name}\n" for name in names))
    return {"path": str(folder / "imagenet"), "hierarchy": str(clone)}


def write_class_folders(
    folder: Path, classes: Sequence[str], images: Mapping[str, int], random: np.random.Generator
) -> dict[str, dict[str, list[str]]]:
    """Write some images of every class into the folders of splits, and return their names by split and class.

    Args:
        folder: The folder of ImageNet.
        classes: WordNet ids.
        images: Images per class of ``train`` and ``val``.
        random: Source of the noise.
    """
    found: dict[str, dict[str, list[str]]] = {}
    counter = itertools.count(1)
    for split, count in images.items():
        found[split] = {one: [] for one in classes}
        for number, one in enumerate(classes):
            for image in range(count):
                name = f"{one}_{image}.JPEG" if split == "train" else f"ILSVRC2012_val_{next(counter):08d}.JPEG"
                write_picture(folder / split / one / name, number, random)
                found[split][one].append(name)
    return found


def _clone(folder: Path, name: str) -> Path:
    """A folder like a clone of making-better-mistakes, with a tree and the distances of its classes."""
    clone = folder / "making-better-mistakes"
    (clone / "data").mkdir(parents=True, exist_ok=True)
    pairs = "".join(f"{parent} {child}\n" for parent, child in _PAIRS)
    (clone / "data" / f"{name}_isa.txt").write_text(pairs, encoding="utf-8")
    parent = {child: above for above, child in _PAIRS}
    height: dict[str, int] = {}
    for one in _CLASSES:
        for steps, above in enumerate(_path(one, parent)):
            height[above] = max(height.get(above, 0), steps)
    lines = [
        f"{a} {b} {min(height[above] for above in set(_path(a, parent)) & set(_path(b, parent)))}\n"
        for a, b in itertools.combinations(_CLASSES, 2)
    ]
    with lzma.open(clone / "data" / f"{name}_ilsvrc_distances.txt.xz", "wt", encoding="utf-8") as file:
        file.writelines(lines)
    return clone


def _path(node: str, parent: Mapping[str, str]) -> list[str]:
    """A node and its ancestors."""
    path = [node]
    while path[-1] in parent:
        path.append(parent[path[-1]])
    return path
