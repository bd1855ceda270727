"""COCO annotation files as datasets, as COCO, iNaturalist and Roboflow publish.

Format: https://cocodataset.org/#format-data. An image is labelled with the categories of its annotations, whatever
their boxes.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from cladewise.datasets.exports.image_places import folder_with
from cladewise.datasets.exports.kinds import export_called, files_of
from cladewise.datasets.exports.labelled import Labelled
from cladewise.datasets.split_names import split_name
from cladewise.errors import InputError
from cladewise.taxonomy.checks.problems import some
from cladewise.taxonomy.formats.bounded_files import GIBIBYTE, read_bytes
from cladewise.taxonomy.formats.documents.coco_categories import tree_of_categories

MAX_BYTES = 16 * GIBIBYTE
"""Most bytes of one file; iNaturalist 2021 has 1.4 GiB."""
_PREFIXES = ("instances_", "person_keypoints_", "stuff_", "panoptic_", "image_info_", "captions_")
"""Beginnings of the file names of COCO, before the name of the split."""


@dataclasses.dataclass(frozen=True)
class _File:
    """One annotation file.

    Attributes:
        path: The file.
        split: Name of its split, blank if its name is not one.
        images: Columns ``id`` and ``path``, one row per image.
        annotations: Columns ``image`` and ``category``, ids as texts; None if the file has none.
        categories: Its categories.
    """

    path: Path
    split: str
    images: pl.DataFrame
    annotations: pl.DataFrame | None
    categories: list[dict[str, Any]]


def read(path: Path, root: Path | None, *, val: str = "", test: str = "") -> Labelled:
    """Images with the categories of their annotations.

    Args:
        path: An annotation file, or a folder with one per split: ``train2018.json`` and ``val2018.json``,
            ``annotations/instances_train2017.json``, ``train/_annotations.coco.json``.
        root: Folder that the file names start from; by default the first one beside the annotations, or called after
            the split, that has the images.
        val: Further file with the images for validation, relative to the first one's folder.
        test: Likewise, for testing.

    Raises:
        InputError: A file is not COCO's, an annotation refers to no image or category, or there are no images.
    """
    further = [(name, file) for name, file in (("val", val), ("test", test)) if file]
    if path.is_dir() and further:
        raise InputError("a file of training images with val= or test=", "a folder", at=str(path))
    if path.is_dir():
        given = [(_split(file), file) for file in _files(path)]
    elif further:
        given = [("train", path), *((name, path.parent / file) for name, file in further)]
    else:
        given = [("", path)]
    files = [_read(file, split) for split, file in given]
    labelled = [file for file in files if file.annotations is not None and file.categories]
    notes = [
        f"{file.path.name}: {len(file.images):,} images without annotated categories, left out"
        for file in files
        if file not in labelled
    ]
    if not labelled:
        raise InputError("annotations with categories", "; ".join(notes) or "no file with them", at=str(path))
    categories = _united(labelled)
    tree = tree_of_categories(categories, str(labelled[0].path))
    place = {str(record.get("id")): position for position, record in enumerate(categories)}
    images, pairs, start = list[str](), list[pl.DataFrame](), 0
    folders = [_folder_of(file, root) for file in labelled]
    top = Path(os.path.commonpath(folders))
    for file, folder in zip(labelled, folders, strict=True):
        pairs.append(_pairs(file, place).with_columns(pl.col("image") + start))
        prefix = "" if folder == top else f"{folder.relative_to(top).as_posix()}/"
        images += (prefix + file.images["path"] if prefix else file.images["path"]).to_list()
        start += file.images.height
    found = pl.concat(pairs).unique(maintain_order=True)
    used = found["category"].unique().sort()
    position = np.empty(len(categories), dtype=np.int64)
    position[used.to_numpy()] = np.arange(used.len())
    nodes = tree.nodes[used.to_numpy()]
    splits = [file.split if len(labelled) > 1 else "" for file in labelled]
    return Labelled(
        root=top,
        paths=images,
        labels=[tree.taxonomy.path_names(node) for node in nodes.tolist()],
        image=found["image"].to_numpy().astype(np.int64),
        label=position[found["category"].to_numpy()],
        splits=[split for split, file in zip(splits, labelled, strict=True) for _ in range(file.images.height)],
        taxonomy=tree.taxonomy,
        nodes=nodes.tolist(),
        notes=tuple(notes),
    )


def _files(folder: Path) -> list[Path]:
    """Annotation files of a folder; those of objects alone if there are also those of captions or keypoints."""
    export = export_called("coco")
    found = [file for file in files_of(folder, export.files) if export.fits(file)]
    of_objects = [file for file in found if file.name.startswith("instances_")]
    return of_objects or found


def _split(file: Path) -> str:
    """The split that an annotation file is of by its name, or by that of its folder; blank if it is none."""
    stem = file.name.removesuffix(".gz").removesuffix(".json")
    if stem.startswith("_annotations"):  # Roboflow's, beside the images of a split
        stem = file.parent.name
    return split_name(_bare(stem)) or ""


def _bare(stem: str) -> str:
    prefix = next((prefix for prefix in _PREFIXES if stem.startswith(prefix)), "")
    return stem.removeprefix(prefix)


def _read(path: Path, split: str) -> _File:
    """Read one file, keeping only the ids and paths of its images and annotations, since there may be millions.

    Raises:
        InputError: The file is not JSON or not COCO's.
    """
    try:
        document = json.loads(read_bytes(path, limit=MAX_BYTES), object_hook=_compact)
    except ValueError as error:
        raise InputError("a COCO annotation file", f"broken JSON ({error})", at=str(path)) from error
    listed = document.get("images") if isinstance(document, dict) else None
    if not isinstance(listed, list) or not all(isinstance(image, _Image) for image in listed):
        first = next((image for image in listed or [] if not isinstance(image, _Image)), None)
        got = f"{first!r:.80}" if listed else "a file without images"
        raise InputError("images with an id and a file_name", got, at=str(path))
    images = _frame(listed, ("id", "path"))
    if images["id"].is_duplicated().any():
        twice = images["id"].filter(images["id"].is_duplicated()).unique(maintain_order=True).to_list()
        raise InputError("a different id for every image", some(twice), at=str(path))
    given: list[Any] = document.get("annotations") or []
    annotations = [entry for entry in given if isinstance(entry, _Annotation)]
    categories = document.get("categories") or []
    if len(annotations) < len(given) and categories:
        wrong = next(entry for entry in given if not isinstance(entry, _Annotation))
        raise InputError("annotations with an image_id and a category_id", f"{wrong!r:.80}", at=str(path))
    frame = _frame(annotations, ("image", "category")) if annotations else None
    return _File(path, split, images, frame, categories)


class _Image(tuple[Any, ...]):
    """Id and file name of an image."""

    __slots__ = ()


class _Annotation(tuple[Any, ...]):
    """Image and category of an annotation."""

    __slots__ = ()


def _compact(entry: dict[str, Any]) -> Any:
    if "image_id" in entry and "category_id" in entry:
        return _Annotation((entry["image_id"], entry["category_id"]))
    if "id" in entry and ("file_name" in entry or "coco_url" in entry):
        return _Image((entry["id"], entry.get("file_name") or _of_url(entry["coco_url"])))
    return entry


def _of_url(url: Any) -> str:
    """Folder and name of an image at an address, as in LVIS, whose images are COCO's and have no file name."""
    return "/".join(str(url).split("/")[-2:])


def _frame(rows: Sequence[tuple[Any, ...]], names: Sequence[str]) -> pl.DataFrame:
    columns = zip(*rows, strict=True) if rows else ([], [])
    return pl.DataFrame(
        {name: pl.Series(map(str, column), dtype=pl.String) for name, column in zip(names, columns, strict=True)}
    )


def _united(files: Sequence[_File]) -> list[dict[str, Any]]:
    """The categories of all files; those of one id are one category.

    Raises:
        InputError: An id has another name in another file.
    """
    found: dict[str, dict[str, Any]] = {}
    for file in files:
        if len({str(record.get("id")) for record in file.categories}) < len(file.categories):
            return file.categories  # refused with its ids
        for record in file.categories:
            other = found.setdefault(str(record.get("id")), record)
            if other.get("name") != record.get("name"):
                got = f"{other.get('name')!r} and {record.get('name')!r} for id {record.get('id')}"
                raise InputError("the same categories in all files", got, at=str(file.path))
    return list(found.values())


def _pairs(file: _File, place: dict[str, int]) -> pl.DataFrame:
    """Pairs of an image and a category by their positions.

    Raises:
        InputError: An annotation is of an image or a category that is not listed.
    """
    assert file.annotations is not None
    known = pl.DataFrame({"category": list(place), "position": list(place.values())})
    found = file.annotations.join(
        file.images.select(image="id").with_row_index("row"), on="image", how="left", maintain_order="left"
    ).join(known, on="category", how="left", maintain_order="left")
    for what, key, column in (("images", "row", "image"), ("categories", "position", "category")):
        lost = found.filter(pl.col(key).is_null())
        if lost.height:
            named = some(lost[column].unique(maintain_order=True).to_list())
            got = f"{column}_id {named} in {lost.height:,} annotations"
            raise InputError(f"annotations of {what} that are listed", got, at=str(file.path))
    return found.select(image=pl.col("row").cast(pl.Int64), category=pl.col("position").cast(pl.Int64))


def _folder_of(file: _File, root: Path | None) -> Path:
    """The first folder that has some of a file's images, beside the file or called after its split.

    Raises:
        InputError: None has any.
    """
    bare = _bare(file.path.name.removesuffix(".gz").removesuffix(".json"))
    tops = [root] if root is not None else [file.path.parent, file.path.parent.parent]
    names = ("", "images", "data", bare, file.split, f"images/{bare}", f"images/{file.split}")
    return folder_with(file.images["path"].to_list(), tops, names, str(file.path))
