"""All published datasets by name.

A reader's module defines its :class:`PublishedDataset` next to the reader; this module lists them.
"""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from cladewise.catalogue import nearest
from cladewise.datasets.published.aircraft import FGVC_AIRCRAFT
from cladewise.datasets.published.breeds.from_imagenet import BREEDS
from cladewise.datasets.published.cars import STANFORD_CARS
from cladewise.datasets.published.cifar import CIFAR_100
from cladewise.datasets.published.cub import CUB_200_2011
from cladewise.datasets.published.emoji.by_vendor import EMOJI
from cladewise.datasets.published.ethec import ETHEC
from cladewise.datasets.published.fashion_mnist import FASHION_MNIST
from cladewise.datasets.published.grocery_store import GROCERY_STORE
from cladewise.datasets.published.imagenet.entries import IMAGENET, TIERED_IMAGENET
from cladewise.datasets.published.inaturalist.entries import INATURALIST
from cladewise.datasets.published.nabirds import NABIRDS
from cladewise.datasets.published.openclipart import OPENCLIPART
from cladewise.datasets.published.published_dataset import Count, Facts, PublishedDataset
from cladewise.errors import InputError

__all__ = [
    "PUBLISHED",
    "Count",
    "Facts",
    "PublishedDataset",
    "check",
    "facts",
    "published",
    "recognised",
    "write_made_up",
]

PUBLISHED: dict[str, PublishedDataset] = {
    entry.name: entry
    for entry in (
        *EMOJI,
        GROCERY_STORE,
        OPENCLIPART,
        CIFAR_100,
        FASHION_MNIST,
        FGVC_AIRCRAFT,
        CUB_200_2011,
        STANFORD_CARS,
        NABIRDS,
        *INATURALIST,
        ETHEC,
        IMAGENET,
        TIERED_IMAGENET,
        *BREEDS,
    )
}
"""Every published dataset by its name, in the order of listings."""


def published(name: str) -> PublishedDataset:
    """A published dataset by its name.

    Raises:
        InputError: There is none of that name.
    """
    if name not in PUBLISHED:
        raise InputError(
            f"the name of a dataset: {', '.join(PUBLISHED)}",
            repr(name),
            advice=nearest(name, PUBLISHED)
            or "For your own images use datasets.from_folder or datasets.from_manifest.",
        )
    return PUBLISHED[name]


def facts(name: str) -> Facts:
    """Published facts about a dataset: classes per level, images per split, licence, citation, source of the files.

    Raises:
        InputError: There is no dataset of that name.

    Example:
        >>> facts("cifar-100").levels
        {'coarse': 20, 'fine': 100}
    """
    return published(name).facts


def check(name: str, **options: Any) -> list[Count]:
    """Read a copy of a dataset, and compare its numbers of classes and images with the published ones.

    Args:
        name: The dataset.
        options: Options of :func:`cladewise.datasets.load`, such as ``path``.

    Raises:
        InputError: There is no dataset of that name, or a file is missing or malformed.

    Example:
        >>> options = write_made_up("fashion-mnist", getfixture("tmp_path"))
        >>> check("fashion-mnist", path=options["path"])[-1]
        Count(unit='images', of='test', published=10000, found=20)
    """
    entry = published(name)
    return entry.facts_of(options).counts(entry.reopen(options))


def recognised(folder: Path) -> PublishedDataset | None:
    """The published dataset whose official layout a folder has; None if there is none.

    Raises:
        InputError: It has those of several, such as a folder into which torchvision put them.
    """
    if not folder.is_dir():
        return None
    found = [entry for entry in PUBLISHED.values() if entry.recognises and entry.recognises(folder)]
    if len(found) > 1:
        names = " and ".join(entry.name for entry in found)
        advice = f'Pass the name of one, and path="{folder}" as its option.'
        raise InputError("a folder with one dataset", f"the files of {names}", at=str(folder), advice=advice)
    return found[0] if found else None


def write_made_up(
    name: str, folder: str | PathLike[str], *, images_per_class: int = 2, seed: int = 0
) -> dict[str, Any]:
    """Write small made-up files in a dataset's official layout, to try a program without the real ones.

    There are a few classes, at least two of every level, with pictures of noise in a colour per class.

    Args:
        name: The dataset.
        folder: A folder to write in; it is created.
        images_per_class: Images of every class in every split.
        seed: Seed of the pictures.

    Returns:
        Options of :func:`cladewise.datasets.load` with which the files are read, with ``partial=True`` among them.

    Raises:
        InputError: There is no such dataset, its files cannot be made up, or ``images_per_class`` is below 1.

    Example:
        >>> from cladewise import datasets
        >>> options = write_made_up("grocery-store", getfixture("tmp_path") / "groceries")
        >>> groceries = datasets.load("grocery-store", **options)
        >>> len(groceries), groceries.taxonomy.num_leaves
        (24, 4)
    """
    entry = published(name)
    if entry.write_made_up is None:
        able = ", ".join(other.name for other in PUBLISHED.values() if other.write_made_up)
        raise InputError(f"a dataset whose files can be made up: {able}", repr(name))
    if images_per_class < 1:
        raise InputError("at least 1 image per class", images_per_class)
    target = Path(folder).expanduser().absolute()
    target.mkdir(parents=True, exist_ok=True)
    return {**entry.write_made_up(target, images_per_class, np.random.default_rng(seed)), "partial": True}
