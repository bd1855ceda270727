"""Corrections of labels by people, applied to any dataset: tables with one row per image that was looked at."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cladewise.catalogue import nearest
from cladewise.datasets.dataset import Dataset
from cladewise.datasets.files.same_files import file_keys, on_disk
from cladewise.datasets.manifest_table import LABEL, PATH, ManifestColumns, read_manifest
from cladewise.datasets.relabelling import refuse_relabelled
from cladewise.errors import InputError
from cladewise.taxonomy.checks.problems import some
from cladewise.taxonomy.names.lookup import BLANKS

IntArray = NDArray[np.int64]

CORRECTIONS = "corrections"
"""Entry of a dataset's source with the tables that were laid over it."""
ACTION = "action"
KEEP, RELABEL, REMOVE, UNSURE = "keep", "label", "remove", "unsure"
ACTIONS = (KEEP, RELABEL, REMOVE, UNSURE)
"""Decisions on an image: its label is right, it has another label, it is in no split, or it is left as it is."""

Tables = str | PathLike[str] | Sequence[str | PathLike[str]]


@dataclasses.dataclass(frozen=True)
class Verdicts:
    """The rows of a table of corrections, by image.

    Args:
        images: Index of each image in the dataset, all different.
        actions: One of :data:`ACTIONS` for each.
        nodes: The new node of each image; -1 where the action is not ``label``.
    """

    images: IntArray
    actions: tuple[str, ...]
    nodes: IntArray

    def having(self, action: str) -> NDArray[np.bool_]:
        """Which rows have an action."""
        return np.array([found == action for found in self.actions], dtype=np.bool_)


def with_corrections(dataset: Dataset, tables: Tables) -> Dataset:
    """Lay tables of corrections over a dataset: new labels for some images, and images that are left out.

    A table has the columns ``path``, ``label`` and ``action``. Paths are those of the dataset, or absolute. Actions are
    ``label`` (the image gets the label, a name or a path as in a manifest; also where the cell or the column is empty),
    ``keep`` (the label of the dataset is right), ``remove`` (the image is taken out of every split) and ``unsure`` (it
    stays as it is). For all but ``label``, the column ``label`` is for people. Splits stay those of the original
    labels, so that no image changes from training to test because it was corrected. Of several tables, later ones
    count. Paths and digests of the tables are recorded in the source of the dataset, and a table that has changed is
    refused when the dataset is opened again from it.

    Args:
        dataset: Images and nodes, as they were read and split.
        tables: One CSV, TSV or Parquet file, or several.

    Raises:
        InputError: A table cannot be read, names an image that the dataset lacks or one twice, an unknown action, or
            a label that is not exactly one node; or labels, classes or images of the dataset were changed before.

    Example:
        >>> from cladewise.taxonomy import Taxonomy
        >>> tree = Taxonomy.from_paths([("bird", "wren"), ("bird", "robin"), ("moth",)])
        >>> photos = Dataset("d", tree, Path("photos"), list("abc"), np.array([2, 2, 4]), {"train": np.arange(3)})
        >>> table = getfixture("tmp_path") / "corrections.csv"
        >>> _ = table.write_text("path,label,action\\na,bird/robin,label\\nb,,keep\\nc,,remove\\n")
        >>> better = with_corrections(photos, table)
        >>> better.nodes.tolist(), better.splits["train"].tolist()
        ([3, 2, 4], [0, 1])
    """
    _check_unchanged(dataset)
    files = [tables] if isinstance(tables, str | PathLike) else list(tables)
    for file in files:
        dataset = _corrected(dataset, Path(file).expanduser().absolute())
    return dataset


def corrected_again(dataset: Dataset, steps: Sequence[Mapping[str, Any]]) -> Dataset:
    """Lay the tables over a dataset that are stored under ``corrections`` in its source.

    Raises:
        InputError: A table has changed since, or is gone.
    """
    for step in steps:
        path = Path(str(step["path"]))
        expected = "the table of corrections that the labels were made with"
        if not path.is_file():
            raise InputError(expected, "no such file", at=str(path), advice="Restore it, or train again without it.")
        if digest_of(path) != step["digest"]:
            advice = "Restore it, or train again with the table as it is now."
            raise InputError(expected, "one that was changed since", at=str(path), advice=advice)
        dataset = _corrected(dataset, path)
    return dataset


def read_verdicts(dataset: Dataset, table: Path) -> Verdicts:
    """Read a table of corrections, by the images and nodes of a dataset.

    Raises:
        InputError: As :func:`with_corrections`.
    """
    manifest = read_manifest(table, ManifestColumns())
    rows = manifest.rows.with_columns(pl.col(PATH, LABEL).str.strip_chars(BLANKS))
    actions = [text.strip(BLANKS) or RELABEL for text in _actions(manifest.others, rows.height)]
    at = str(table)
    for line, action in zip(rows["line"], actions, strict=True):
        if action not in ACTIONS:
            advice = nearest(action, ACTIONS)
            raise InputError(f"an action: {', '.join(ACTIONS)}", repr(action), at=f"{at}:{line}", advice=advice)
    images = _images(dataset, rows, at)
    relabelled = np.array([action == RELABEL for action in actions], dtype=np.bool_)
    labels = rows.filter(pl.Series(relabelled))
    blank = labels.filter(pl.col(LABEL) == "")["line"].to_list()
    if blank:
        raise InputError("a label in every row with the action label", "none", at=f"{at}:{blank[0]}")
    nodes = np.full(rows.height, -1, dtype=np.int64)
    distinct = labels[LABEL].unique(maintain_order=True)
    found = dataset.taxonomy.find(distinct.to_list(), at=at, place=manifest.lines)
    nodes[relabelled] = labels[LABEL].replace_strict(distinct, found.tolist(), return_dtype=pl.Int64).to_numpy()
    return Verdicts(images, tuple(actions), nodes)


def reviewed_images(dataset: Dataset) -> IntArray:
    """Indices of the images with a decision in the tables of a dataset: all rows but those that are unsure.

    Raises:
        InputError: A table is gone.
    """
    steps: Sequence[Mapping[str, Any]] = dataset.source.get(CORRECTIONS, ())
    found = [read_verdicts(dataset, Path(str(step["path"]))) for step in steps]
    parts = [verdicts.images[~verdicts.having(UNSURE)] for verdicts in found]
    return np.unique(np.concatenate([np.zeros(0, dtype=np.int64), *parts]))


def digest_of(table: Path) -> str:
    """Digest of the content of a table."""
    return hashlib.sha256(table.read_bytes()).hexdigest()[:32]


def _corrected(dataset: Dataset, table: Path) -> Dataset:
    verdicts = read_verdicts(dataset, table)
    nodes, gone = dataset.nodes.copy(), verdicts.images[verdicts.having(REMOVE)]
    relabelled = verdicts.having(RELABEL)
    nodes[verdicts.images[relabelled]] = verdicts.nodes[relabelled]
    steps = [*dataset.source.get(CORRECTIONS, ()), {"path": str(table), "digest": digest_of(table)}]
    return dataclasses.replace(
        dataset,
        nodes=nodes,
        splits={name: rows[~np.isin(rows, gone)] for name, rows in dataset.splits.items()},
        source={**dataset.source, CORRECTIONS: steps},
    )


def _check_unchanged(dataset: Dataset) -> None:
    refuse_relabelled(dataset)
    changed = dataset.held_out_classes is not None or "held_out" in dataset.source
    if changed:
        advice = "Correct it first, and hold classes or images out afterwards."
        raise InputError("data as it was read", "data with classes or images held out", at=dataset.name, advice=advice)


def _actions(others: pl.DataFrame, number: int) -> list[str]:
    return others[ACTION].fill_null("").to_list() if ACTION in others.columns else [""] * number


def _images(dataset: Dataset, rows: pl.DataFrame, at: str) -> IntArray:
    """Index of the image of each row."""
    known = file_keys(dataset.root, pl.Series(dataset.paths, dtype=pl.String))
    wanted = file_keys(dataset.root, on_disk(dataset.root, rows[PATH]))
    places = dict(zip(known.to_list(), range(len(dataset)), strict=True))
    missing = [
        f"{path} (line {line})"
        for path, key, line in zip(rows[PATH], wanted, rows["line"], strict=True)
        if key not in places
    ]
    if missing:
        raise InputError(
            f"paths of images of {dataset.name}",
            f"{len(missing)} that it has not: {some(missing)}",
            at=at,
            advice="Paths are relative to the folder of the images, as in predictions and audits. New images are added "
            "by `cladewise corrections --with-data`.",
        )
    again = rows.filter(wanted.is_duplicated())
    if again.height:
        shown = f"{again[PATH][0]!r} in lines {' and '.join(map(str, again['line'][:2]))}"
        raise InputError("one row per image", f"several for {shown}", at=at, advice="Keep the one that is right.")
    return np.array([places[key] for key in wanted], dtype=np.int64)
