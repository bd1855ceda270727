"""The class folders of iNaturalist 2021, whose names have all ranks: ``00000_Animalia_Annelida_..._terrestris``.

torchvision reads the same folders without annotations, under its own names for the folders of splits.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from cladewise.datasets.files.listing import files_by_class
from cladewise.datasets.published.inaturalist.versions import RANKS, Version
from cladewise.datasets.published.official_files import OfficialFiles
from cladewise.errors import InputError
from cladewise.taxonomy import Taxonomy
from cladewise.taxonomy.formats.documents.coco_categories import tree_of_categories

_NUM_PARTS = len(RANKS) + 2  # the number before, and the specific epithet after


def has_class_folders(root: Path, version: Version) -> bool:
    """Whether the folder of the training images has folders whose names have all ranks."""
    folders = next(iter(version.folders.values()))
    names = (name for folder in folders for name in _subfolders(root / folder))
    return len(next(names, "").split("_")) == _NUM_PARTS


def read_class_folders(files: OfficialFiles, version: Version) -> tuple[Taxonomy, pl.DataFrame]:
    """The tree, and the split, path and node of every image of the class folders.

    Raises:
        InputError: A folder of images is missing, or a class folder has another name.
    """
    splits = dict(zip(("train", "test"), (files.folder(*names) for names in version.folders.values()), strict=True))
    classes = {split: list(_subfolders(folder)) for split, folder in splits.items()}
    names = sorted({name for found in classes.values() for name in found})
    records = [_record(name, f"{files.root}") for name in names]
    tree = tree_of_categories(records, str(files.root))
    node_by_name = dict(zip(names, tree.nodes.tolist(), strict=True))
    parts: list[pl.DataFrame] = []
    for split, folder in splits.items():
        found = files_by_class(files.root, folder, sorted(classes[split]))
        nodes = pl.col("class").replace_strict(node_by_name, return_dtype=pl.Int64)
        parts.append(found.select(pl.lit(split).alias("split"), "path", node=nodes))
    return tree.taxonomy, pl.concat(parts)


def _record(name: str, at: str) -> dict[str, str | int]:
    """The category of a class folder, as in the annotations.

    Raises:
        InputError: Its name has not a number, six ranks and an epithet.
    """
    number, *ranks, epithet = parts if len(parts := name.split("_")) == _NUM_PARTS else ["", ""]
    if not number.isdecimal():
        expected = "class folders like 00000_Animalia_Annelida_Clitellata_Haplotaxida_Lumbricidae_Lumbricus_terrestris"
        raise InputError(expected, repr(name), at=at)
    return {"id": int(number), "name": f"{ranks[-1]} {epithet}", **dict(zip(RANKS, ranks, strict=True))}


def _subfolders(folder: Path) -> Iterator[str]:
    if folder.is_dir():
        with os.scandir(folder) as entries:
            yield from (entry.name for entry in entries if entry.is_dir() and not entry.name.startswith("."))
