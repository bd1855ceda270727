"""Images and categories of iNaturalist's annotation files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import polars as pl

from cladewise.datasets.exports.coco_document import (
    CocoDocument,
    labelled_pairs,
    read_coco_document,
    united_categories,
)
from cladewise.datasets.published.inaturalist.versions import Version
from cladewise.datasets.published.official_files import OfficialFiles
from cladewise.errors import InputError, warn
from cladewise.taxonomy import Taxonomy
from cladewise.taxonomy.checks.problems import some
from cladewise.taxonomy.formats.bounded_files import read_text
from cladewise.taxonomy.formats.documents.coco_categories import Records, records_of, tree_of_categories

_CATEGORIES = "categories.json"
_KINGDOMS = {"Animalia", "Plantae", "Fungi"}
"""Kingdoms that all versions have, unless their names are obfuscated."""


def read_annotated(files: OfficialFiles, version: Version) -> tuple[Taxonomy, pl.DataFrame]:
    """The tree, and the split, path and node of every image of the annotation files.

    Raises:
        InputError: A file is missing or malformed, or an image has no annotation or several.
    """
    given = {split: _file(files, name) for split, name in (("train", version.train), ("test", version.val))}
    documents = {split: read_coco_document(file) for split, file in given.items()}
    for document in documents.values():
        if document.annotations is None or not document.categories:
            expected = "annotations with an image_id and a category_id, and categories"
            raise InputError(expected, "none", at=str(document.path), advice=files.advice)
    records: Records = united_categories(list(documents.values()))
    at = str(given["train"])
    if version.obfuscated:
        records, at = _real_names(records, files, at)
    tree = tree_of_categories(records, at)
    place = {str(record.get("id")): position for position, record in enumerate(records)}
    nodes = pl.Series("node", tree.nodes)
    rows = [_rows(split, document, place, nodes, files.root) for split, document in documents.items()]
    folders = _folders(pl.concat(rows)["path"], files, version)
    return tree.taxonomy, pl.concat(rows).with_columns(_moved(folders))


def _file(files: OfficialFiles, name: str) -> Path:
    """An annotation file.

    Raises:
        InputError: It does not exist; the advice names its archive if that is there.
    """
    packed = [archive for archive in (f"{name}.tar.gz", f"{name}.tgz") if (files.root / archive).is_file()]
    if packed and not (files.root / name).is_file():
        raise InputError(f"the file {name}", packed[0], at=str(files.root), advice=f"Unpack {packed[0]}.")
    return files.file(name)


def _rows(split: str, document: CocoDocument, place: Mapping[str, int], nodes: pl.Series, root: Path) -> pl.DataFrame:
    """Split, path and node of every image of one file, in its order.

    Raises:
        InputError: An image has no annotation or several.
    """
    pairs = labelled_pairs(document, place)
    if pairs["image"].is_duplicated().any():
        twice = document.images["path"].gather(pairs["image"].filter(pairs["image"].is_duplicated()).unique().sort())
        raise InputError("one annotation for each image", f"several for {some(twice.to_list())}", at=str(document.path))
    found = document.images.with_row_index("image").join(
        pairs.with_columns(pl.col("image").cast(pl.UInt32)), on="image", how="left", maintain_order="left"
    )
    bare = found.filter(pl.col("category").is_null())["path"]
    if bare.len():
        raise InputError("one annotation for each image", f"none for {some(bare.to_list())}", at=str(document.path))
    return found.select(pl.lit(split).alias("split"), "path", node=nodes.gather(found["category"]))


def _folders(paths: pl.Series, files: OfficialFiles, version: Version) -> dict[str, str]:
    """The folder on disk for each first part of the file names.

    Raises:
        InputError: There is none.
    """
    tops = paths.str.extract(r"^([^/]*)/").unique(maintain_order=True).drop_nulls().to_list()
    return {top: files.folder(*version.folders.get(top, (top,))).name for top in tops}


def _moved(folders: Mapping[str, str]) -> pl.Expr:
    """Paths with the folders that exist for the first parts of the file names."""
    path = pl.col("path")
    for top, folder in folders.items():
        if top != folder:
            rest = pl.col("path").str.strip_prefix(f"{top}/")
            path = pl.when(pl.col("path").str.starts_with(f"{top}/")).then(pl.lit(f"{folder}/") + rest).otherwise(path)
    return path.alias("path")


def _real_names(records: Records, files: OfficialFiles, at: str) -> tuple[Records, str]:
    """The categories with their real names, which were published after the competition, and their file.

    Raises:
        InputError: The file with the names is malformed, or lacks a category.
    """
    file = files.root / _CATEGORIES
    if not file.is_file():
        if _KINGDOMS.isdisjoint(str(record.get("kingdom")) for record in records):
            text = f"the obfuscated names of {files.title}, since there is no {_CATEGORIES} with the real ones"
            warn(text, at=str(files.root), advice=files.advice)
        return records, at
    try:
        found = records_of(json.loads(read_text(file)))
    except ValueError as error:
        raise InputError("JSON", f"an error: {error}", at=str(file)) from error
    if found is None:
        raise InputError("a list of categories with names", "another JSON document", at=str(file))
    known = {str(record.get("id")) for record in found}
    lacking = [str(record.get("id")) for record in records if str(record.get("id")) not in known]
    if lacking:
        got = f"no category with id {some(lacking)}"
        raise InputError(f"the categories of {Path(at).name}", got, at=str(file))
    return found, str(file)
