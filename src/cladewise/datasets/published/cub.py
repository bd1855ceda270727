"""CUB-200-2011: 11,788 photographs of birds in 13 orders, 38 families and 200 species."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from cladewise.datasets.dataset import Dataset
from cladewise.datasets.published.bird_lists import FILES, read_bird_lists, rows_of, write_bird_lists
from cladewise.datasets.published.fact_tables import fact_table
from cladewise.datasets.published.image_rows import dataset_of_rows, image_rows
from cladewise.datasets.published.official_files import OfficialFiles, is_complete, official_folder
from cladewise.datasets.published.published_dataset import Facts, PublishedDataset
from cladewise.errors import InputError
from cladewise.taxonomy import Taxonomy
from cladewise.taxonomy.checks.problems import some
from cladewise.taxonomy.formats.class_lists import CLASSES
from cladewise.taxonomy.names.columns import ID

_NAME = "cub-200-2011"
_ARCHIVE = "CUB_200_2011"
_LEVELS = ("order", "family", "species")
_WHERE = (
    "Unpack CUB_200_2011.tgz from https://data.caltech.edu/records/65de6-vp158, and pass the folder CUB_200_2011 in it."
)
_CORRECTED = {
    "083.White_breasted_Kingfisher": ("Coraciiformes", "Halcyonidae"),
    "084.Red_legged_Kittiwake": ("Charadriiformes", "Laridae"),
}


def from_cub(path: str | PathLike[str], *, corrected: bool = False) -> Dataset:
    """Read CUB-200-2011 with its official splits ``train`` and ``test``, and the orders and families of its species.

    The files have no tree. Orders and families are those of the published list for coarse-to-fine experiments
    (References), with which 13 orders and 38 families are reported. That list has the red-legged kittiwake, a gull, in
    a family of its own among the kingfishers, next to the white-breasted kingfisher, to which the family belongs; see
    ``corrected``. Species have the dataset's number of the class in the column ``class``.

    Args:
        path: The folder with ``classes.txt`` and the other lists, a folder above it, or its ``images``.
        corrected: Put the red-legged kittiwake into the gulls' family and the white-breasted kingfisher into that of
            the tree kingfishers; the numbers of orders and families stay the same.

    Raises:
        InputError: A file is missing or malformed, or a class is not one of CUB-200-2011.

    Example:
        >>> from cladewise.datasets import write_made_up
        >>> options = write_made_up("cub-200-2011", getfixture("tmp_path"))
        >>> from_cub(options["path"]).taxonomy.level_names
        ('order', 'family', 'species')

    References:
        Wah, Branson, Welinder, Perona and Belongie, The Caltech-UCSD Birds-200-2011 dataset, 2011. Orders and families:
        Chang, Pang, Zheng, Ma, Song and Guo, Your "Flamingo" is My "Bird": Fine-Grained, or Not, CVPR 2021,
        arXiv:2011.09040, and their repository PRIS-CV/Fine-Grained-or-Not.
    """
    files = OfficialFiles.at(path, "CUB-200-2011", _WHERE, FILES, (_ARCHIVE,))
    listed = read_bird_lists(files)
    path_by_class = {one: above for *above, one in fact_table("cub_200_2011")[1]}
    if corrected:
        path_by_class |= {one: list(above) for one, above in _CORRECTED.items()}
    assert listed.taxonomy is not None
    flat = listed.taxonomy
    classes = [str(name) for name in flat.names[flat.leaf_nodes]]
    unknown = [one for one in classes if one not in path_by_class]
    if unknown:
        raise InputError("classes of CUB-200-2011", some(unknown), at=str(files.root / CLASSES), advice=_WHERE)
    paths = {one: (*path_by_class[one], _species(one)) for one in classes}
    tree = Taxonomy.from_paths(sorted(paths.values()), level_names=_LEVELS)
    node_by_path = {tree.path_names(node): node for node in tree}
    node_by_class = {one: node_by_path[path] for one, path in paths.items()}
    numbers = np.full(tree.num_nodes, "", dtype=object)  # not as ids, which inner nodes would need as well
    for one, identifier in zip(classes, flat.columns[ID][flat.leaf_nodes].tolist(), strict=True):
        numbers[node_by_class[one]] = identifier
    node_of_label = [node_by_class[names[-1]] for names in listed.labels]
    return dataset_of_rows(
        image_rows(rows_of(listed, node_of_label)),
        tree.with_columns({"class": numbers.tolist()}),
        name=_NAME,
        root=listed.root,
        check="files",
        source={"kind": _NAME, "path": str(files.root), **({"corrected": True} if corrected else {})},
        credit="CUB-200-2011: Wah et al. 2011",
    )


def _species(name: str) -> str:
    """Name of a class without its number and with blanks."""
    return name.partition(".")[2].replace("_", " ")


def _recognises(given: Path) -> bool:
    """Whether a folder has CUB-200's lists with classes of CUB-200-2011 only."""
    folder = official_folder(given, FILES, (_ARCHIVE,))
    if folder is None or not is_complete(folder, FILES):
        return False
    known = {row[-1] for row in fact_table("cub_200_2011")[1]}
    with (folder / CLASSES).open(encoding="utf-8", errors="replace") as lines:
        return all(line.strip().partition(" ")[2] in known for line in lines if line.strip())


def _write_made_up(folder: Path, images_per_class: int, random: np.random.Generator) -> dict[str, Any]:
    chosen = (5, 6, 59, 62, 79, 83, 84, 29, 30, 96)  # two orders of several families, and the two corrected classes
    classes = [fact_table("cub_200_2011")[1][number - 1][-1] for number in chosen]
    root = folder / _ARCHIVE
    images: list[tuple[str, str, int, bool]] = []
    for number, one in enumerate(classes, start=1):
        for is_train in (True, False):
            for image in range(len(images) + 1, len(images) + 1 + images_per_class):
                path = f"{one}/{one.partition('.')[2]}_{image:04d}.jpg"
                images.append((str(image), path, number, is_train))
    write_bird_lists(root, images, random, classes=[f"{number} {one}" for number, one in enumerate(classes, start=1)])
    return {"path": str(root)}


CUB_200_2011 = PublishedDataset(
    name=_NAME,
    description="11,788 photographs of 200 species of birds, 3 levels; pass path= to a copy on disk",
    read=from_cub,
    facts=Facts(
        levels={"order": 13, "family": 38, "species": 200},
        images={"train": 5994, "test": 5794},
        licence="none stated in the archive; the photographs, from Flickr, belong to their photographers",
        citation=(
            "Wah, Branson, Welinder, Perona and Belongie, The Caltech-UCSD Birds-200-2011 dataset, 2011; orders and "
            'families: Chang et al., Your "Flamingo" is My "Bird": Fine-Grained, or Not, CVPR 2021'
        ),
        where=_WHERE,
        files={
            "classes.txt": "names of the classes",
            "images.txt": "paths of the images",
            "image_class_labels.txt": "class of every image",
            "train_test_split.txt": "1 for every image to train on",
            "images/": "photographs, in a folder per class",
        },
        notes=(
            "The published list of orders and families has the red-legged kittiwake among the kingfishers; "
            "corrected=True puts it among the gulls.",
        ),
    ),
    options=("path", "corrected"),
    recognises=_recognises,
    write_made_up=_write_made_up,
)
