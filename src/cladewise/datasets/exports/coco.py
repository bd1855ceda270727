"""COCO annotation files as datasets, as COCO, iNaturalist and Roboflow publish.

Format: https://cocodataset.org/#format-data. An image is labelled with the categories of its annotations, whatever
their boxes.
"""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import numpy as np
import polars as pl

from cladewise.datasets.exports.coco_document import CocoDocument, labelled_pairs, read_coco_document, united_categories
from cladewise.datasets.exports.image_places import folder_with
from cladewise.datasets.exports.kinds import export_called, files_of
from cladewise.datasets.exports.labelled import Labelled
from cladewise.datasets.split_names import split_name
from cladewise.errors import InputError
from cladewise.taxonomy.formats.documents.coco_categories import tree_of_categories

_PREFIXES = ("instances_", "person_keypoints_", "stuff_", "panoptic_", "image_info_", "captions_")
"""Beginnings of the file names of COCO, before the name of the split."""


@dataclasses.dataclass(frozen=True)
class _File:
    """One annotation file.

    Attributes:
        document: Its content.
        split: Name of its split, blank if its name is not one.
    """

    document: CocoDocument
    split: str


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
    files = [_File(read_coco_document(file), split) for split, file in given]
    labelled = [file for file in files if file.document.annotations is not None and file.document.categories]
    notes = [
        f"{file.document.path.name}: {len(file.document.images):,} images without annotated categories, left out"
        for file in files
        if file not in labelled
    ]
    if not labelled:
        raise InputError("annotations with categories", "; ".join(notes) or "no file with them", at=str(path))
    categories = united_categories([file.document for file in labelled])
    tree = tree_of_categories(categories, str(labelled[0].document.path))
    place = {str(record.get("id")): position for position, record in enumerate(categories)}
    images, pairs, start = list[str](), list[pl.DataFrame](), 0
    folders = [_folder_of(file, root) for file in labelled]
    top = Path(os.path.commonpath(folders))
    for file, folder in zip(labelled, folders, strict=True):
        pairs.append(labelled_pairs(file.document, place).with_columns(pl.col("image") + start))
        prefix = "" if folder == top else f"{folder.relative_to(top).as_posix()}/"
        images += (prefix + file.document.images["path"] if prefix else file.document.images["path"]).to_list()
        start += file.document.images.height
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
        splits=[
            split for split, file in zip(splits, labelled, strict=True) for _ in range(file.document.images.height)
        ],
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


def _folder_of(file: _File, root: Path | None) -> Path:
    """The first folder that has some of a file's images, beside the file or called after its split.

    Raises:
        InputError: None has any.
    """
    bare = _bare(file.document.path.name.removesuffix(".gz").removesuffix(".json"))
    tops = [root] if root is not None else [file.document.path.parent, file.document.path.parent.parent]
    names = ("", "images", "data", bare, file.split, f"images/{bare}", f"images/{file.split}")
    return folder_with(file.document.images["path"].to_list(), tops, names, str(file.document.path))
