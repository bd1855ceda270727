"""Labels that people corrected in other tools, as a manifest to train on."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cladewise.atomic import write_text
from cladewise.datasets.corrections import ACTION, ACTIONS, RELABEL, REMOVE
from cladewise.datasets.dataset import Dataset, Skipped
from cladewise.datasets.exports.kinds import export_called, export_of
from cladewise.datasets.exports.labelled import Several, one_node_each
from cladewise.datasets.files.same_files import on_disk
from cladewise.datasets.manifest_table import LABEL, PATH, SPLIT, ManifestColumns, read_manifest
from cladewise.datasets.path_labels import nodes_of_paths
from cladewise.errors import InputError, warn
from cladewise.taxonomy import Taxonomy
from cladewise.taxonomy.names.lookup import BLANKS

IntArray = NDArray[np.int64]
TRAIN = "train"


@dataclasses.dataclass(frozen=True)
class CorrectedLabels:
    """Images with the node that a person gave each.

    Args:
        taxonomy: The label tree.
        paths: Path of every image: absolute, or a URL.
        nodes: Its node, of shape ``[image]``; any node of the tree.
        skipped: Images without a usable label, with reasons.
        notes: Further findings, one line each.
        replaced: Number of images that a later file labelled otherwise than an earlier one.
        removed: Images that a table says to remove, by their paths as in ``paths``.
    """

    taxonomy: Taxonomy
    paths: tuple[str, ...]
    nodes: IntArray
    skipped: tuple[Skipped, ...] = ()
    notes: tuple[str, ...] = ()
    replaced: int = 0
    removed: tuple[str, ...] = ()

    def table(self, data: Dataset | None = None) -> pl.DataFrame:
        """A manifest: ``path`` and ``label``, a path of names, and with ``data`` the ``split``.

        Args:
            data: A dataset over the same tree, whose images come first: with the corrected label if there is one, and
                in the split that they are in, and without those to remove. Corrected images that it does not have
                follow in the split for training.

        Raises:
            InputError: The dataset has another tree, or an image in several splits.
        """
        labels = [self.taxonomy.path_name(node) for node in self.nodes.tolist()]
        if data is None:
            return pl.DataFrame({PATH: list(self.paths), LABEL: labels}, schema={PATH: pl.String, LABEL: pl.String})
        if data.taxonomy != self.taxonomy:
            raise InputError(f"data over {self.taxonomy}", f"over {data.taxonomy}", at=data.name)
        splits = data.split_names
        several = next((names for names in splits if "+" in names), "")
        if several:
            raise InputError("data with each image in one split", f"some in {several}", at=data.name)
        given = {_real(path): label for path, label in zip(self.paths, labels, strict=True)}
        removed = set(map(_real, self.removed))
        rows: list[tuple[str, str, str]] = []
        for path, node, split in zip(data.paths, data.nodes.tolist(), splits, strict=True):
            place = os.path.join(data.root, path)
            if split and _real(place) not in removed:
                rows.append((place, given.pop(_real(place), self.taxonomy.path_name(node)), split))
        rows += [(path, given[_real(path)], TRAIN) for path in self.paths if _real(path) in given]
        return pl.DataFrame(rows, schema={PATH: pl.String, LABEL: pl.String, SPLIT: pl.String}, orient="row")

    def write(self, path: str | PathLike[str], data: Dataset | None = None) -> None:
        """Write :meth:`table` as CSV, with paths relative to the file's folder where the images are in it."""
        file = Path(path)
        if file.suffix.lower() != ".csv":
            raise InputError("a name that ends in .csv", repr(str(path)))
        table, folder = self.table(data), f"{os.path.abspath(file.parent)}{os.sep}"
        write_text(file, table.with_columns(pl.col(PATH).str.strip_prefix(folder)).write_csv())


def read_corrected_labels(
    files: str | PathLike[str] | Sequence[str | PathLike[str]],
    taxonomy: Taxonomy,
    *,
    format: str | None = None,
    root: str | PathLike[str] | None = None,
    several: Several = "skip",
    **options: Any,
) -> CorrectedLabels:
    """Read the labels that people gave to images in other tools, or in the tables of cladewise's own pages.

    Exports of Label Studio and FiftyOne are read, as are all others that :func:`cladewise.datasets.from_export` takes,
    and tables with the columns ``path`` and ``label``, such as the corrections that the server keeps. Labels are paths
    from the top, names or ids; a path that is not in the tree is an error. The images need not exist.

    Args:
        files: A file, or several, of which the later ones count where they label the same image.
        taxonomy: The tree that the labels are in, such as that of the run that made the predictions.
        format: Format of the files, as in :func:`cladewise.datasets.from_export`, or ``manifest``; by default detected.
        root: Folder that relative paths start from; by default that of each file.
        several: For an image with several labels, none below another: ``skip`` it, or label it with the deepest node
            that they have in ``common``.
        options: Options of the format. Label Studio: ``control``, ``image``, ``annotators``. FiftyOne: ``field``,
            ``unchanged``.

    Raises:
        InputError: A file is damaged or of no known format, a label is not in the tree, or a file gives one image two
            labels.

    Example:
        >>> import json
        >>> tree = Taxonomy.from_paths([("bird", "wren"), ("bird", "robin"), ("moth",)])
        >>> label = {"_cls": "Classification", "label": "bird/wren", "predicted": "bird/robin", "tags": []}
        >>> file = getfixture("tmp_path") / "samples.json"
        >>> _ = file.write_text(json.dumps({"samples": [{"filepath": "/data/1.jpg", "prediction": label}]}))
        >>> read_corrected_labels(file, tree).table().rows()
        [('/data/1.jpg', 'bird/wren')]
    """
    listed = [files] if isinstance(files, str | PathLike) else list(files)
    if not listed:
        raise InputError("at least one file of corrections", "none")
    nodes: dict[str, int] = {}
    paths: dict[str, str] = {}
    removed: dict[str, str] = {}
    skipped: list[Skipped] = []
    notes: list[str] = []
    replaced = 0
    for file in listed:
        own, out, told, gone = _read(Path(file).expanduser(), taxonomy, format, root, several, options)
        skipped += out
        notes += told
        for path, node in own.items():
            key = _real(path)
            replaced += key in nodes and nodes[key] != node
            nodes[key], paths[key] = node, path
            removed.pop(key, None)
        for path in gone:
            key = _real(path)
            removed[key] = path
            for kept in (nodes, paths):
                kept.pop(key, None)
    if not nodes:
        shown = f"none: {skipped[0].path} ({skipped[0].reason})" if skipped else "none"
        raise InputError("images with a label", shown, at=", ".join(map(str, listed)))
    return CorrectedLabels(
        taxonomy,
        tuple(paths.values()),
        np.array(list(nodes.values()), dtype=np.int64),
        tuple(skipped),
        tuple(notes),
        replaced,
        tuple(removed.values()),
    )


def _read(
    file: Path,
    taxonomy: Taxonomy,
    format: str | None,
    root: str | PathLike[str] | None,
    several: Several,
    options: Mapping[str, Any],
) -> tuple[dict[str, int], Sequence[Skipped], Sequence[str], Sequence[str]]:
    """Node by path of one file, images without a label, notes, and images to remove."""
    if not file.exists():
        raise InputError("a file of corrections", "no such file", at=str(file))
    folder = None if root is None else Path(root).expanduser().absolute()
    export = None if format == "manifest" else export_of(file) if format is None else export_called(format)
    if export is None:
        if options:
            raise InputError("no options with a table of paths and labels", next(iter(options)), at=str(file))
        return _of_table(file, taxonomy, folder)
    found = export.read(file.absolute(), folder, options)
    by_path = nodes_of_paths(taxonomy, found.labels, str(file))
    pairs = np.array([by_path[names] for names in found.labels], dtype=np.int64)
    node = pairs[found.label] if len(pairs) else np.zeros(0, dtype=np.int64)
    chosen, reasons = one_node_each(taxonomy, len(found.paths), found.image, node, several)
    skipped = [*found.skipped, *(Skipped(found.paths[i], reason) for i, reason in sorted(reasons.items()))]
    labelled = np.flatnonzero(chosen >= 0).tolist()
    rows = [(_absolute(found.root, found.paths[i]), int(chosen[i])) for i in labelled]
    return _one_each(rows, taxonomy, file), skipped, found.notes, ()


def _of_table(
    file: Path, taxonomy: Taxonomy, folder: Path | None
) -> tuple[dict[str, int], Sequence[Skipped], Sequence[str], Sequence[str]]:
    """As :func:`_read`, of a table of paths and labels; rows with an action that is no label are left out."""
    manifest = read_manifest(file.absolute(), ManifestColumns())
    start = folder or file.absolute().parent
    actions = (
        manifest.others[ACTION].fill_null("").to_list()
        if ACTION in manifest.others.columns
        else [""] * manifest.rows.height
    )
    table = manifest.rows.with_columns(pl.col(PATH, LABEL).str.strip_chars(BLANKS), action=pl.Series(actions))
    table = table.with_columns(on_disk(start.absolute(), table[PATH]))
    blank = table.filter(pl.col(PATH) == "")["line"].to_list()
    if blank:
        raise InputError("a path in every row", f"none in {len(blank)}", at=f"{file}:{blank[0]}")
    unknown = table.filter(~pl.col("action").str.strip_chars(BLANKS).is_in(["", *ACTIONS])).select("line", "action")
    if unknown.height:
        line, action = unknown.row(0)
        raise InputError(f"an action: {', '.join(ACTIONS)}", repr(action), at=f"{file}:{line}")
    is_label = pl.col("action").str.strip_chars(BLANKS).is_in(["", RELABEL]) & (pl.col(LABEL) != "")
    rows, others = table.filter(is_label), table.filter(~is_label)
    labels = rows[LABEL].unique(maintain_order=True).to_list()
    nodes = dict(zip(labels, taxonomy.find(labels, at=str(file), place=manifest.lines).tolist(), strict=True))
    pairs = [(_absolute(start, path), nodes[label]) for path, label in rows.select(PATH, LABEL).rows()]
    skipped = [Skipped(path, action or "no label") for path, action in others.select(PATH, "action").rows()]
    found = dict(pairs) if _is_log(manifest.others.columns) else _one_each(pairs, taxonomy, file)
    gone = [_absolute(start, skip.path) for skip in skipped if skip.reason.strip(BLANKS) == REMOVE]
    return found, skipped, (), gone


def _is_log(columns: Sequence[str]) -> bool:
    """Whether a table is a log of corrections, to which rows are appended: the last row of an image counts."""
    return bool({"time", "predicted", "model"} & set(columns))


def _one_each(rows: Sequence[tuple[str, int]], taxonomy: Taxonomy, file: Path) -> dict[str, int]:
    found: dict[str, int] = {}
    for path, node in rows:
        if found.setdefault(path, node) != node:
            both = " and ".join(taxonomy.path_name(v) for v in (found[path], node))
            raise InputError("one label for each image", f"{both} for {path}", at=str(file))
    return found


def _absolute(folder: Path, path: str) -> str:
    return path if "://" in path else os.path.normpath(os.path.join(folder.absolute(), path))


def _real(path: str) -> str:
    return path if "://" in path else os.path.realpath(path)


def tell_missing(corrections: CorrectedLabels, at: str) -> None:
    """Warn of images that are not at their paths, which training would leave out."""
    gone = [path for path in corrections.paths if "://" in path or not os.path.exists(path)]
    if gone:
        advice = 'Pass root="..." with the folder that the paths start from, such as that of the data for an audit.'
        warn(f"{len(gone)} of {len(corrections.paths)} images are not there, such as {gone[0]}", at=at, advice=advice)
