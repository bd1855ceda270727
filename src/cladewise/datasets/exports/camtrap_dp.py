"""Camera-trap data packages (Camtrap DP) as datasets: images of ``media.csv`` with the taxa of ``observations.csv``.

Format: https://camtrap-dp.tdwg.org/data/
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from cladewise.datasets.exports.labelled import Labelled
from cladewise.errors import InputError
from cladewise.taxonomy import Taxonomy
from cladewise.taxonomy.formats.options import ReadOptions
from cladewise.taxonomy.formats.species import camtrap_dp
from cladewise.taxonomy.formats.tables.delimited import read_delimited

OTHER_TYPES = ("human", "vehicle", "blank", "unknown", "unclassified")
"""Values of ``observationType`` other than ``animal``; the first three are classes if an observation names no taxon."""
CLASSES = OTHER_TYPES[:3]


def read(path: Path, root: Path | None, *, machine: bool = False) -> Labelled:
    """Images with the taxa that were observed in them.

    An observation of a media file labels that file; one of an event labels every image of the event. The label is the
    scientific name or, for a human, a vehicle or a blank without one, its type. Unknown and unclassified observations
    label nothing, nor do machines' unless asked for: labels that a model made are not to be learned from by accident.

    Args:
        path: Folder of the package, or its ``datapackage.json``.
        root: Folder that relative ``filePath`` start from; by default that of the package.
        machine: Whether observations by machines count as well.

    Raises:
        InputError: A table is missing or lacks a column.
    """
    folder = path if path.is_dir() else path.parent
    media = _table(folder / "media.csv", ["mediaID", "filePath"])
    seen = _table(folder / "observations.csv", ["observationType"])
    name = pl.col("scientificName") if "scientificName" in seen.columns else pl.lit("")
    kind = pl.col("observationType")
    labels = pl.when(name != "").then(name).when(kind.is_in(list(CLASSES))).then(kind).otherwise(pl.lit(""))
    seen = seen.with_columns(label=labels)
    by_machine = pl.Series(np.zeros(seen.height, dtype=bool))
    if "classificationMethod" in seen.columns and not machine:
        by_machine = seen["classificationMethod"] == "machine"
    notes = _notes(seen, by_machine)
    seen = seen.filter(~by_machine & (seen["label"] != ""))
    media = media.with_row_index("image")
    pairs = pl.concat([_by("mediaID", seen, media), _by("eventID", seen.filter(_of_event(seen)), media)]).unique(
        maintain_order=True
    )
    different = pairs["label"].unique(maintain_order=True)
    tree, nodes = _tree(path, different.to_list())
    position = dict(zip(different.to_list(), range(different.len()), strict=True))
    return Labelled(
        root=root or folder,
        paths=media["filePath"].to_list(),
        labels=[tree.path_names(node) if tree is not None else (label,) for label, node in nodes.items()],
        image=pairs["image"].to_numpy().astype(np.int64),
        label=np.array([position[label] for label in pairs["label"].to_list()], dtype=np.int64),
        taxonomy=tree,
        nodes=list(nodes.values()) if tree is not None else (),
        notes=notes,
    )


def _table(path: Path, needed: list[str]) -> pl.DataFrame:
    if not path.is_file():
        raise InputError(f"a package with {path.name}", "none", at=str(path.parent))
    table = read_delimited(path, ReadOptions(format="levels", header="first", separator=","))
    table.fail(table.problems)
    missing = [name for name in needed if name not in table.columns]
    if missing:
        raise InputError(f"the columns {', '.join(needed)}", f"none called {missing[0]}", at=str(path))
    return table.frame


def _of_event(seen: pl.DataFrame) -> pl.Series:
    """Whether an observation is of an event and of no single file."""
    blank = pl.Series([""]).new_from_index(0, seen.height)
    media = seen["mediaID"] if "mediaID" in seen.columns else blank
    return media == ""


def _by(key: str, seen: pl.DataFrame, media: pl.DataFrame) -> pl.DataFrame:
    """Pairs of an image and a label that share a key."""
    if key not in seen.columns or key not in media.columns:
        return pl.DataFrame(schema={"image": pl.get_index_type(), "label": pl.String})
    found = media.select("image", key).join(seen.filter(pl.col(key) != "").select(key, "label"), on=key)
    return found.select("image", "label").sort("image", maintain_order=True)


def _notes(seen: pl.DataFrame, by_machine: pl.Series) -> tuple[str, ...]:
    blank = int((seen["label"] == "").sum())
    notes = [f"observations without a label (unknown or unclassified), left out: {blank:,}"] if blank else []
    left = int(by_machine.sum())
    return (*notes, *([f"observations by machines, left out: {left:,}"] if left else []))


def _tree(path: Path, labels: list[str]) -> tuple[Taxonomy | None, dict[str, int]]:
    """The tree of the package with a leaf at the top for each label that it lacks, and the node of each label."""
    package: Any = camtrap_dp.package_of(path)
    if not package.get("taxonomic"):
        return None, dict.fromkeys(labels, 0)
    tree = camtrap_dp.read(path, ReadOptions())
    lacking = [label for label in labels if not tree.matches(label)]
    for label in lacking:
        tree, _ = tree.with_leaf(label)
    return tree, {label: tree.find(label) for label in labels}
