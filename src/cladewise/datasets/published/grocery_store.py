"""The Grocery Store dataset, in its official layout."""

from __future__ import annotations

import csv
from os import PathLike
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from cladewise.datasets.dataset import Dataset
from cladewise.datasets.published.image_rows import dataset_of_rows, image_rows
from cladewise.datasets.published.made_up import write_picture
from cladewise.datasets.published.official_files import OfficialFiles, is_complete, official_folder
from cladewise.datasets.published.published_dataset import Facts, PublishedDataset
from cladewise.errors import InputError
from cladewise.taxonomy import Taxonomy

_SPLITS = ("train", "val", "test")
_FILES = ("classes.csv", *(f"{split}.txt" for split in _SPLITS))
_INNER = ("dataset", "GroceryStoreDataset/dataset")
_WHERE = "Clone https://github.com/marcusklasson/GroceryStoreDataset and pass its folder dataset."
_LEVELS = ("category", "coarse", "fine")
_DESCRIPTION = "Product Description Path (str)"
_CREDIT = "Grocery Store: Klasson, Zhang and Kjellström, WACV 2019, MIT licence"


def from_grocery_store(path: str | PathLike[str]) -> Dataset:
    """Read the Grocery Store photographs: 3 categories, 43 coarse and 81 fine classes, official splits.

    The tree has a column ``description`` with the product descriptions of the fine classes, if their files exist.

    Args:
        path: The folder with ``classes.csv`` and the lists ``train.txt``, ``val.txt`` and ``test.txt``, whose lines
            are ``path, fine class, coarse class``. The category is the second part of an image's path.

    Raises:
        InputError: A file is missing, or its lines are inconsistent with the others.

    References:
        Klasson, Zhang and Kjellström, A Hierarchical Grocery Store Image Dataset with Visual and Semantic Labels,
        WACV 2019, arXiv:1901.00711.
    """
    root = OfficialFiles.at(path, "Grocery Store", _WHERE, _FILES, _INNER).root
    coarse_and_fine = _read_classes(root / "classes.csv")
    listed: list[tuple[str, str, int]] = []  # split, path, fine class
    for name in _SPLITS:
        listed += [(name, image, fine) for image, fine in _read_list(root / f"{name}.txt", coarse_and_fine)]

    categories: dict[int, set[str]] = {fine: set() for fine in coarse_and_fine}
    for _, image, fine in listed:
        categories[fine].add(image.split("/")[1])
    torn = [fine for fine, found in categories.items() if len(found) != 1]
    if torn:
        coarse, fine = coarse_and_fine[torn[0]]
        found = " and ".join(sorted(categories[torn[0]])) or "no image"
        raise InputError("the images of a class to be in one category", found, at=f"class {coarse}/{fine}")
    path_by_class = {fine: (min(categories[fine]), *names) for fine, names in coarse_and_fine.items()}
    taxonomy = Taxonomy.from_paths(path_by_class.values(), level_names=_LEVELS)
    node_by_path = {taxonomy.path_names(node): node for node in taxonomy}
    said = {node_by_path[path_by_class[fine]]: text for fine, text in _read_descriptions(root).items()}
    taxonomy = _with_descriptions(taxonomy, said)

    rows = [(split, image, node_by_path[path_by_class[fine]]) for split, image, fine in listed]
    return dataset_of_rows(
        image_rows(rows),
        taxonomy,
        name="grocery-store",
        root=root,
        check="files",
        source={"kind": "grocery-store", "path": str(root)},
        credit=_CREDIT,
    )


def _read_classes(file: Path) -> dict[int, tuple[str, str]]:
    """Coarse and fine name of every fine class."""
    fine_name, fine_id = "Class Name (str)", "Class ID (int)"
    coarse_name, coarse_id = "Coarse Class Name (str)", "Coarse Class ID (int)"
    with _open(file) as lines:
        rows = csv.DictReader(lines)
        missing = [name for name in (fine_name, fine_id, coarse_name, coarse_id) if name not in (rows.fieldnames or ())]
        if missing:
            raise InputError(f"a column {missing[0]!r}", ", ".join(rows.fieldnames or ["no header"]), at=f"{file}:1")
        return {_number(row[fine_id], f"{file}:{rows.line_num}"): (row[coarse_name], row[fine_name]) for row in rows}


def _read_descriptions(root: Path) -> dict[int, str]:
    """The product description of each fine class that has one."""
    with _open(root / "classes.csv") as lines:
        rows = list(csv.DictReader(lines))
    files = {int(row["Class ID (int)"]): root / (row.get(_DESCRIPTION) or "none").lstrip("/") for row in rows}
    return {fine: " ".join(file.read_text(encoding="utf-8").split()) for fine, file in files.items() if file.is_file()}


def _with_descriptions(taxonomy: Taxonomy, said: dict[int, str]) -> Taxonomy:
    if not said:
        return taxonomy
    return Taxonomy(
        taxonomy.parents,
        taxonomy.names,
        level=taxonomy.level,
        level_names=taxonomy.level_names,
        columns={"description": [said.get(node, "") for node in taxonomy]},
        synthetic_root=taxonomy.synthetic_root,
    )


def _read_list(file: Path, classes: dict[int, tuple[str, str]]) -> list[tuple[str, int]]:
    """Path and fine class of every line."""
    rows: list[tuple[str, int]] = []
    with _open(file) as lines:
        for number, line in enumerate(lines, start=1):
            where = f"{file}:{number}"
            cells = [cell.strip() for cell in line.split(",")]
            if len(cells) != 3 or cells[0].count("/") < 2:
                raise InputError("a line 'split/category/.../image, fine, coarse'", repr(line.strip()), at=where)
            fine = _number(cells[1], where)
            if fine not in classes:
                raise InputError("a fine class of classes.csv", fine, at=where)
            rows.append((cells[0], fine))
    return rows


def _number(text: str, where: str) -> int:
    if not text.strip().isdecimal():
        raise InputError("the number of a class", repr(text), at=where)
    return int(text)


def _open(file: Path) -> TextIO:
    if not file.is_file():
        raise InputError(
            f"the file {file.name} of the Grocery Store layout", "none", at=str(file.parent), advice=_WHERE
        )
    return file.open(encoding="utf-8-sig", newline="")


def _write_made_up(folder: Path, images_per_class: int, random: np.random.Generator) -> dict[str, Any]:
    classes = [
        ("Fruit", "Apple", "Pink-Lady"),
        ("Fruit", "Apple", "Royal-Gala"),
        ("Fruit", "Banana", "Banana"),
        ("Packages", "Oat-Milk", "Oat-Milk"),
    ]
    coarse = list(dict.fromkeys(names[1] for names in classes))
    header = "Class Name (str),Class ID (int),Coarse Class Name (str),Coarse Class ID (int)"
    rows = [f"{fine},{number},{group},{coarse.index(group)}" for number, (_, group, fine) in enumerate(classes)]
    (folder / "classes.csv").write_text("\n".join([header, *rows, ""]), encoding="utf-8")
    for split in _SPLITS:
        lines: list[str] = []
        for number, (category, group, fine) in enumerate(classes):
            for image in range(images_per_class):
                path = f"{split}/{category}/{group}/{fine}/{fine}_{image:03d}.jpg"
                write_picture(folder / path, number, random)
                lines.append(f"{path}, {number}, {coarse.index(group)}\n")
        (folder / f"{split}.txt").write_text("".join(lines), encoding="utf-8")
    return {"path": str(folder)}


def _recognises(folder: Path) -> bool:
    found = official_folder(folder, _FILES, _INNER)
    return found is not None and is_complete(found, ("classes.csv", "train.txt"))


GROCERY_STORE = PublishedDataset(
    name="grocery-store",
    description="5,421 photographs in 81 classes, 3 levels; pass path= to a copy on disk",
    read=from_grocery_store,
    facts=Facts(
        levels={"category": 3, "coarse": 43, "fine": 81},
        images={"train": 2640, "val": 296, "test": 2485},
        licence="MIT",
        citation=(
            "Klasson, Zhang and Kjellström, A Hierarchical Grocery Store Image Dataset with Visual and Semantic "
            "Labels, WACV 2019"
        ),
        where=_WHERE,
        files={
            "classes.csv": "names of the coarse and fine classes",
            "train.txt": "images to train on and their classes",
            "val.txt": "images to validate on",
            "test.txt": "images to test on",
            "train/": "photographs",
            "val/": "photographs",
            "test/": "photographs",
        },
    ),
    recognises=_recognises,
    write_made_up=_write_made_up,
)
