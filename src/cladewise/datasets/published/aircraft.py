"""FGVC-Aircraft: 10,000 photographs of aircraft in 30 manufacturers, 70 families and 100 variants."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from cladewise.datasets.dataset import Dataset
from cladewise.datasets.published.image_rows import dataset_of_rows, image_rows
from cladewise.datasets.published.made_up import write_picture
from cladewise.datasets.published.official_files import OfficialFiles, official_folder
from cladewise.datasets.published.published_dataset import Facts, PublishedDataset
from cladewise.errors import InputError
from cladewise.taxonomy import Taxonomy

_NAME = "fgvc-aircraft"
_LEVELS = ("manufacturer", "family", "variant")
_SPLITS = ("train", "val", "test")
_ARCHIVE = "fgvc-aircraft-2013b"
_INNER = ("data", f"{_ARCHIVE}/data")
_FILES = tuple(f"images_{level}_{split}.txt" for level in _LEVELS for split in _SPLITS)
_WHERE = (
    "Unpack fgvc-aircraft-2013b.tar.gz from https://www.robots.ox.ac.uk/~vgg/data/fgvc-aircraft/, and pass the "
    "resulting folder."
)
_CITATION = (
    "Maji, Rahtu, Kannala, Blaschko and Vedaldi, Fine-grained visual classification of aircraft, 2013, arXiv:1306.5151"
)
BANNER = 20
"""Height in pixels of the banner with the photographer's name at the bottom of every image."""


def from_aircraft(path: str | PathLike[str]) -> Dataset:
    """Read FGVC-Aircraft with its official splits ``train``, ``val`` and ``test``; ``train+val`` is its trainval.

    The tree follows from the three lists of every split, which name the manufacturer, the family and the variant of
    each image. The images are used as they are, with the banner of 20 pixels at their bottom: the papers that this
    library follows do not crop it, and neither does torchvision.

    Args:
        path: The folder of the archive, its folder ``data``, or the folder above, as torchvision has it.

    Raises:
        InputError: A file is missing or malformed, or a variant is in two families.

    Example:
        >>> from cladewise.datasets import write_made_up
        >>> options = write_made_up("fgvc-aircraft", getfixture("tmp_path"))
        >>> from_aircraft(options["path"]).taxonomy.level_names
        ('manufacturer', 'family', 'variant')

    References:
        Maji, Rahtu, Kannala, Blaschko and Vedaldi, Fine-grained visual classification of aircraft, 2013,
        arXiv:1306.5151.
    """
    files = OfficialFiles.at(path, "FGVC-Aircraft", _WHERE, _FILES, _INNER)
    names: dict[tuple[str, str], list[str]] = {}  # split and image -> names from coarse to fine
    for split in _SPLITS:
        for level in _LEVELS:
            list_name = f"images_{level}_{split}.txt"
            lines = files.lines(list_name)
            for number, line in enumerate(lines, start=1):
                image, _, name = line.partition(" ")
                if not name:
                    raise InputError("an image and its class", repr(line), at=f"{files.root / list_name}:{number}")
                names.setdefault((split, image), []).append(name.strip())
    torn = next((key for key, found in names.items() if len(found) != len(_LEVELS)), None)
    if torn:
        raise InputError(
            f"every image once in the lists of {', '.join(_LEVELS)}", f"{torn[1]} of {torn[0]}", at=str(files.root)
        )
    taxonomy = _tree({tuple(found) for found in names.values()}, files)
    node_by_path = {taxonomy.path_names(node): node for node in taxonomy}
    rows = [(split, f"{image}.jpg", node_by_path[tuple(found)]) for (split, image), found in names.items()]
    return dataset_of_rows(
        image_rows(rows),
        taxonomy,
        name=_NAME,
        root=files.folder("images"),
        check="files",
        source={"kind": _NAME, "path": str(files.root)},
        credit="FGVC-Aircraft: Maji et al. 2013, for non-commercial research",
    )


def _tree(paths: set[tuple[str, ...]], files: OfficialFiles) -> Taxonomy:
    above: dict[str, tuple[str, ...]] = {}
    for path in sorted(paths):
        if above.setdefault(path[-1], path[:-1]) != path[:-1]:
            got = f"{path[-1]} in {' and '.join('/'.join(found) for found in (above[path[-1]], path[:-1]))}"
            raise InputError("every variant in one family of one manufacturer", got, at=str(files.root))
    return Taxonomy.from_paths(sorted(paths), level_names=_LEVELS)


def _write_made_up(folder: Path, images_per_class: int, random: np.random.Generator) -> dict[str, Any]:
    classes = [
        ("Airbus", "A320", "A319"),
        ("Airbus", "A320", "A320"),
        ("Airbus", "A380", "A380"),
        ("Boeing", "Boeing 737", "737-700"),
        ("Boeing", "Boeing 737", "737-800"),
        ("McDonnell Douglas", "F/A-18", "F/A-18"),
    ]
    data = folder / _ARCHIVE / "data"
    (data / "images").mkdir(parents=True, exist_ok=True)
    for file, k in (("manufacturers", 0), ("families", 1), ("variants", 2)):
        listed = sorted({names[k] for names in classes})
        (data / f"{file}.txt").write_text("".join(f"{name}\n" for name in listed), encoding="utf-8")
    identifier = 34309
    lists: dict[str, list[tuple[str, int]]] = {split: [] for split in (*_SPLITS, "trainval")}
    for split in _SPLITS:
        for number in np.repeat(np.arange(len(classes)), images_per_class).tolist():
            identifier += 1
            image = f"{identifier:07d}"
            write_picture(data / "images" / f"{image}.jpg", number, random)
            lists[split].append((image, number))
            if split != "test":
                lists["trainval"].append((image, number))
    for split, images in lists.items():
        for k, level in enumerate(_LEVELS):
            lines = [f"{image} {classes[number][k]}\n" for image, number in images]
            (data / f"images_{level}_{split}.txt").write_text("".join(lines), encoding="utf-8")
    return {"path": str(folder / _ARCHIVE)}


FGVC_AIRCRAFT = PublishedDataset(
    name=_NAME,
    description="10,000 photographs of 100 variants of aircraft, 3 levels; pass path= to a copy on disk",
    read=from_aircraft,
    facts=Facts(
        levels={"manufacturer": 30, "family": 70, "variant": 100},
        images={"train": 3334, "val": 3333, "test": 3333},
        licence="for non-commercial research; the photographers keep their copyright",
        citation=_CITATION,
        where=_WHERE,
        files={
            "data/images_manufacturer_{train,val,test}.txt": "manufacturer of every image",
            "data/images_family_{train,val,test}.txt": "family of every image",
            "data/images_variant_{train,val,test}.txt": "variant of every image",
            "data/images/": "photographs",
        },
        notes=(
            "The split that the authors call trainval is train+val.",
            f"The banner of {BANNER} pixels at the bottom of every image is kept.",
        ),
    ),
    recognises=lambda folder: official_folder(folder, _FILES, _INNER) is not None,
    write_made_up=_write_made_up,
)
