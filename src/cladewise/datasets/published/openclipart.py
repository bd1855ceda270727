"""Open Clip Art drawings as Debian packages them: labels at any node of a ragged tree."""

from __future__ import annotations

import dataclasses
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from cladewise.datasets.dataset import Dataset
from cladewise.datasets.folder import from_folder
from cladewise.datasets.published.made_up import write_picture
from cladewise.datasets.published.published_dataset import Facts, PublishedDataset

_CREDIT = "Open Clip Art Library, release 0.18, public domain"


def from_openclipart(path: str | PathLike[str]) -> Dataset:
    """Read the drawings of the Open Clip Art Library: folders 1 to 4 deep, a third of the drawings in internal ones.

    The collection has no official split. It is split as a folder without splits is, 70% to 10% to 20% of each label
    with seed 0, so that runs can be compared.

    Args:
        path: The folder ``png`` of the collection.

    Raises:
        InputError: There is no such folder, or no image in it can be read.

    Example:
        >>> from cladewise.datasets import write_made_up
        >>> options = write_made_up("openclipart", getfixture("tmp_path"))
        >>> drawings = from_openclipart(options["path"])
        >>> int((~drawings.taxonomy.is_leaf[drawings.nodes]).sum()), len(drawings)  # labels at internal nodes
        (40, 100)
    """
    read = from_folder(path, split_folders=False)
    source = {"kind": "openclipart", "path": str(read.source["path"])}
    return dataclasses.replace(read, name="openclipart", source=source, credit=_CREDIT)


def _write_made_up(folder: Path, images_per_class: int, random: np.random.Generator) -> dict[str, Any]:
    for number, label in enumerate(("animals", "animals/birds", "animals/mammals/cats", "food", "food/fruit")):
        for image in range(10 * images_per_class):  # a tenth of them validates
            write_picture(folder / label / f"{number}_{image:03d}.png", number, random)
    return {"path": str(folder)}


OPENCLIPART = PublishedDataset(
    name="openclipart",
    description="8,107 drawings with labels at 165 nodes of a ragged tree; pass path= to a copy on disk",
    read=from_openclipart,
    facts=Facts(
        levels={},
        images={"train": 5674, "val": 810, "test": 1623},
        licence="public domain",
        citation="Open Clip Art Library, release 0.18, 2005",
        where="Install the Debian package openclipart-png and pass /usr/share/openclipart/png.",
        files={"animals/": "drawings of animals, and one such folder for every other class"},
        num_leaves=125,
        num_nodes=167,
        notes=("The split is this library's; the collection has none.", "14 files cannot be used."),
    ),
    write_made_up=_write_made_up,
)
