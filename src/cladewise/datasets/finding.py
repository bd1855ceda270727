"""Open the data that a user names: a folder, a manifest or a published dataset."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from cladewise import datasets
from cladewise.catalogue import nearest
from cladewise.datasets import Dataset
from cladewise.datasets.exports.kinds import EXPORTS, export_called, export_of
from cladewise.datasets.published.published_dataset import difference
from cladewise.datasets.published.registry import PublishedDataset, recognised
from cladewise.errors import InputError, warn
from cladewise.taxonomy.formats.options import ReadOptions


def find_data(
    data: str, taxonomy: Path | None = None, *, reading: ReadOptions | None = None, seed: int = 0, **options: Any
) -> Dataset:
    """A folder of images, a manifest, an export, a dataset in a layout of its own, or the name of a dataset.

    Args:
        data: Path or name.
        taxonomy: File of the label tree of a folder, manifest or export.
        reading: Options of reading that file.
        seed: Seed of the splits.
        options: Options of the dataset's reader.

    Raises:
        InputError: It is none of these, cannot be read, or has no such option.
    """
    given = {} if reading is None else reading.given()
    if given:
        if taxonomy is None:
            shown = ", ".join(f"{option}={value!r}" for option, value in given.items())
            raise InputError("a taxonomy file to which the reading options apply", shown)
        options["taxonomy_options"] = given
    path = Path(data)
    found = None if "format" in options or taxonomy is not None else recognised(path)
    if found is None and path.exists() and ("format" in options or export_of(path) is not None):
        export = export_called(str(options["format"])) if "format" in options else export_of(path)
        assert export is not None
        _check_options(datasets.from_export, options, more=export.options())
        return datasets.from_export(path, taxonomy, seed=seed, **options)
    if found is None and path.is_dir():
        _check_options(datasets.from_folder, options)
        return datasets.from_folder(path, taxonomy, seed=seed, **options)
    if path.is_file():
        _check_options(datasets.from_manifest, options)
        return datasets.from_manifest(path, taxonomy, seed=seed, **options)
    if found is None and data not in datasets.available():
        exports = f"an export ({', '.join(export.name for export in EXPORTS)})"
        raise InputError(
            f"a folder of images, a manifest, {exports}, or the name of a dataset",
            f"{data!r}, which is none of them",
            advice=nearest(data, datasets.available()) or f"Datasets by name: {', '.join(datasets.available())}.",
        )
    if taxonomy is not None:
        raise InputError("no taxonomy= with a dataset that has its own", str(taxonomy))
    return datasets.load(data, **options) if found is None else _load_folder(found, path, options)


def _load_folder(entry: PublishedDataset, folder: Path, options: Mapping[str, Any]) -> Dataset:
    """The dataset in a folder with the layout of a published one; it may be a part of it, or another dataset."""
    dataset = entry.reopen({"path": folder, **options})
    differs = difference(entry.facts_of(options).counts(dataset))
    if differs is not None:
        expected, got = differs
        warn(f"files in the layout of {entry.name} with {got} instead of {expected}", at=str(folder))
    return dataset


def _check_options(reader: Callable[..., Dataset], options: Mapping[str, Any], more: Sequence[str] = ()) -> None:
    parameters = inspect.signature(reader).parameters.values()
    known = [*(p.name for p in parameters if p.kind is p.KEYWORD_ONLY and p.name != "seed"), *more]
    for option in options:
        if option not in known:
            expected = f"an option of this dataset: {', '.join(known)}"
            raise InputError(expected, repr(option), advice=nearest(option, known))
