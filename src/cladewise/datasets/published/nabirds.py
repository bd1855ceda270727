"""NABirds: 48,562 photographs of North American birds in 555 classes of uneven depth."""

from __future__ import annotations

import dataclasses
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from cladewise.datasets.dataset import Dataset
from cladewise.datasets.published.bird_lists import FILES, read_bird_lists, rows_of, write_bird_lists
from cladewise.datasets.published.image_rows import dataset_of_rows, image_rows
from cladewise.datasets.published.official_files import OfficialFiles, is_complete, official_folder
from cladewise.datasets.published.published_dataset import Facts, PublishedDataset
from cladewise.errors import InputError
from cladewise.taxonomy.checks.problems import some
from cladewise.taxonomy.formats.class_lists import CLASSES, HIERARCHY
from cladewise.taxonomy.names.columns import ID

_NAME = "nabirds"
_FILES = (*FILES, HIERARCHY)
_WHERE = "Request nabirds.tar.gz at https://dl.allaboutbirds.org/nabirds, unpack it, and pass the folder nabirds in it."


def from_nabirds(path: str | PathLike[str]) -> Dataset:
    """Read NABirds with its own hierarchy and its official splits ``train`` and ``test``.

    The hierarchy goes from orders down to species, and for many to plumages (male and female, adult and immature), so
    leaves have different depths and levels have no names. Names repeat (a species and one of its plumages); nodes have
    the dataset's numbers as their ``id``.

    Args:
        path: The folder with ``classes.txt``, ``hierarchy.txt`` and the lists of images, a folder above it, or its
            ``images``.

    Raises:
        InputError: A file is missing or malformed, or several classes have no parent.

    Example:
        >>> from cladewise.datasets import write_made_up
        >>> options = write_made_up("nabirds", getfixture("tmp_path"))
        >>> from_nabirds(options["path"]).split_names[:3]
        ['train', 'train', 'test']

    References:
        Van Horn, Branson, Farrell, Haber, Barry, Ipeirotis, Perona and Belongie, Building a bird recognition app and
        large scale dataset with citizen scientists, CVPR 2015.
    """
    files = OfficialFiles.at(path, "NABirds", _WHERE, _FILES, (_NAME,))
    listed = read_bird_lists(files, _FILES)
    assert listed.taxonomy is not None
    if not listed.taxonomy.columns[ID][0]:
        tops = listed.taxonomy.names[listed.taxonomy.level == 1].tolist()
        got = f"{len(tops)} classes without a parent: {some(tops)}"
        raise InputError("one class without a parent", got, at=str(files.root / HIERARCHY), advice=files.advice)
    return dataset_of_rows(
        image_rows(rows_of(listed, listed.nodes)),
        listed.taxonomy,
        name=_NAME,
        root=listed.root,
        check="files",
        source={"kind": _NAME, "path": str(files.root)},
        credit="NABirds: Van Horn et al. 2015, by the Cornell Lab of Ornithology, for non-commercial research",
    )


def _recognises(given: Path) -> bool:
    folder = official_folder(given, _FILES, (_NAME,))
    if folder is None or not is_complete(folder, _FILES):
        return False
    with (folder / CLASSES).open(encoding="utf-8", errors="replace") as lines:
        return next(lines, "").split() == ["0", "Birds"]


@dataclasses.dataclass(frozen=True)
class _Class:
    number: int
    parent: int
    name: str


_MADE_UP = (
    _Class(1, 0, "Ducks, Geese, and Swans"),
    _Class(2, 0, "Perching Birds"),
    _Class(20, 1, "Waterfowl"),
    _Class(311, 20, "Wood Duck"),
    _Class(817, 311, "Wood Duck (Breeding male)"),
    _Class(818, 311, "Wood Duck (Female/Eclipse male)"),
    _Class(295, 20, "Snow Goose"),
    _Class(30, 2, "Jays, Magpies, and Crows"),
    _Class(40, 2, "Wrens"),
    _Class(999, 30, "Common Raven"),
    _Class(1005, 30, "Blue Jay"),
    _Class(1007, 40, "Rock Wren"),
)


def _write_made_up(folder: Path, images_per_class: int, random: np.random.Generator) -> dict[str, Any]:
    root = folder / _NAME
    parents = {one.parent for one in _MADE_UP}
    images: list[tuple[str, str, int, bool]] = []
    for one in (one for one in _MADE_UP if one.number not in parents):
        for is_train in (True, False):
            for _ in range(images_per_class):
                digits = random.bytes(16).hex()
                identifier = "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
                images.append((identifier, f"{one.number:04d}/{digits}.jpg", one.number, is_train))
    write_bird_lists(
        root,
        images,
        random,
        classes=["0 Birds", *(f"{one.number} {one.name}" for one in _MADE_UP)],
        hierarchy=[f"{one.number} {one.parent}" for one in _MADE_UP],
    )
    return {"path": str(root)}


NABIRDS = PublishedDataset(
    name=_NAME,
    description="48,562 photographs of birds in 555 classes of a ragged tree; pass path= to a copy on disk",
    read=from_nabirds,
    facts=Facts(
        levels={},
        images={"train": 23_929, "test": 24_633},
        licence="for non-commercial research, by the terms of the Cornell Lab of Ornithology",
        citation=(
            "Van Horn, Branson, Farrell, Haber, Barry, Ipeirotis, Perona and Belongie, Building a bird recognition app "
            "and large scale dataset with citizen scientists, CVPR 2015"
        ),
        where=_WHERE,
        files={
            "classes.txt": "names of all nodes of the hierarchy",
            "hierarchy.txt": "parent of every node but the root",
            "images.txt": "paths of the images",
            "image_class_labels.txt": "class of every image",
            "train_test_split.txt": "1 for every image to train on",
            "images/": "photographs, in a folder per class",
        },
        num_leaves=555,
        num_nodes=1011,
        notes=("Leaves have different depths: many species are divided into plumages.",),
    ),
    recognises=_recognises,
    write_made_up=_write_made_up,
)
