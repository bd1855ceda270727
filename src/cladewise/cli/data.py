"""What a user may name as data."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cladewise.datasets import Dataset


def open_data(data: str, taxonomy: Path | None, *, seed: int, **options: Any) -> Dataset:
    """A folder of images, a manifest, a data set in a layout of its own, or the name of a data set.

    Raises:
        InputError: It is none of these, or cannot be read.
    """
    from cladewise import datasets
    from cladewise.errors import InputError

    path = Path(data)
    if path.is_dir() and (path / "classes.csv").is_file() and (path / "train.txt").is_file():
        return datasets.load("grocery-store", path=data, **options)
    if path.is_dir():
        return datasets.from_folder(path, taxonomy, seed=seed, **options)
    if path.is_file():
        return datasets.from_manifest(path, taxonomy, seed=seed, **options)
    if data in datasets.available():
        return datasets.load(data, **options)
    raise InputError(
        "a folder of images, a manifest, or the name of a data set",
        f"{data!r}, which is none of them",
        advice=f"Data sets by name: {', '.join(datasets.available())}.",
    )
