"""Read an export as a dataset: recognise it, find its labels in a tree, and give each image one node."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, get_args

import numpy as np
import polars as pl

from cladewise.datasets.dataset import Dataset, Skipped
from cladewise.datasets.exports.kinds import EXPORTS, export_called, export_of
from cladewise.datasets.exports.labelled import Labelled, Several, one_node_each
from cladewise.datasets.files.other_files import counted
from cladewise.datasets.files.same_files import file_keys, identities, on_disk, one_row_per_file
from cladewise.datasets.files.walking import given_taxonomy, some_usable, tell_odd_names, usable
from cladewise.datasets.path_labels import nodes_of_paths
from cladewise.datasets.split_names import split_name, tell_joined
from cladewise.datasets.splitting import FRACTIONS, split
from cladewise.errors import InputError, warn
from cladewise.taxonomy import Taxonomy
from cladewise.taxonomy.checks.problems import some
from cladewise.taxonomy.formats.kinds import kind_of
from cladewise.taxonomy.formats.options import one_of

_KNOWN_SPLITS = ("train", "val", "test")
_CONFIG = "label-studio"


def from_export(
    path: str | PathLike[str],
    taxonomy: Taxonomy | str | PathLike[str] | None = None,
    *,
    format: str | None = None,
    taxonomy_options: Mapping[str, Any] | None = None,
    root: str | PathLike[str] | None = None,
    several: Several = "skip",
    fractions: Mapping[str, float] = FRACTIONS,
    seed: int = 0,
    **options: Any,
) -> Dataset:
    """Read the images and labels of a labelling tool's export.

    Args:
        path: The export: a file, or a folder with its files.
        taxonomy: The label tree, or its file; labels are looked up as paths, by the rules of folders. Without one the
            tree of the export is used, or its labels make up the tree.
        format: Format of the export; by default detected.
        taxonomy_options: Options of :func:`cladewise.taxonomy.read` for the tree's file.
        root: Folder of the images; by default the one that the export implies.
        several: For an image with several labels, none below another: ``skip`` it, with its labels as the reason, or
            label it with the deepest node that they have in ``common``.
        fractions: Shares of the stratified splits, used if the export has no splits.
        seed: Seed of the stratified splits.
        options: Options of the format. Label Studio: ``control``, ``image``, ``annotators``. FiftyOne: ``field``,
            ``unchanged``. Datumaro: ``groups``.
            CVAT: ``levels``. COCO: ``val``, ``test``.

    Raises:
        InputError: The export has no known format or is damaged, a label is not in the taxonomy, or no image is usable.

    Example:
        >>> import json
        >>> from PIL import Image
        >>> folder = getfixture("tmp_path")
        >>> Image.new("RGB", (8, 8)).save(folder / "1.png")
        >>> result = {"from_name": "species", "type": "taxonomy", "value": {"taxonomy": [["bird"], ["bird", "wren"]]}}
        >>> task = {"id": 1, "data": {"image": "/data/upload/1/1.png"}, "annotations": [{"result": [result]}]}
        >>> _ = (folder / "export.json").write_text(json.dumps([task]))
        >>> photos = from_export(folder / "export.json")
        >>> photos.paths, photos.taxonomy.path_name(int(photos.nodes[0]))
        (('1.png',), 'bird/wren')
    """
    place = Path(path).expanduser().absolute()
    if not place.exists():
        raise InputError("an export", "no such file or folder", at=str(path))
    one_of("several", several, get_args(Several))
    export = export_called(format) if format is not None else export_of(place)
    if export is None:
        known = "; ".join(f"{kind.name} ({kind.title})" for kind in EXPORTS)
        raise InputError(f"an export in a known format: {known}", "another one", at=str(path))
    folder = None if root is None else Path(root).expanduser().absolute()
    found = export.read(place, folder, options)
    reading = _with_control(taxonomy, taxonomy_options, options)
    tree, recorded = (None, {}) if taxonomy is None else given_taxonomy(taxonomy, reading)
    tree, nodes = _nodes(found, tree, str(place))
    if taxonomy is None:
        tell_odd_names(tree, str(place))
    given: dict[str, Any] = {"format": export.name, **options}
    given |= {} if root is None else {"root": str(folder)}
    given |= {} if several == "skip" else {"several": several}
    source = {"kind": "export", "path": str(place), **given, **recorded}
    return assemble(
        found, tree, nodes, name=_name(place), source=source, several=several, fractions=fractions, seed=seed
    )


def assemble(
    found: Labelled,
    taxonomy: Taxonomy,
    nodes: Sequence[int],
    *,
    name: str,
    source: Mapping[str, Any],
    several: Several = "skip",
    fractions: Mapping[str, float] = FRACTIONS,
    seed: int = 0,
) -> Dataset:
    """A dataset of the images of an export that have one label and can be used; the others are listed as skipped.

    Args:
        found: The export.
        taxonomy: The tree.
        nodes: Node of each of its labels in this tree.
        name: Name of the dataset.
        source: Arguments that recreate it; ``path`` is the export, for messages.
        several: What to do with images with several labels; see :func:`from_export`.
        fractions: Shares of the stratified splits, used if the export has no splits.
        seed: Seed of the stratified splits.

    Raises:
        InputError: No image can be used, or a file has two labels or is in two splits.
    """
    at = str(source["path"])
    pairs = np.asarray(nodes, dtype=np.int64)[found.label] if len(nodes) else np.zeros(0, dtype=np.int64)
    chosen, reasons = one_node_each(taxonomy, len(found.paths), found.image, pairs, several)
    skipped = [*found.skipped, *(Skipped(found.paths[i], reason) for i, reason in sorted(reasons.items()))]
    listed = pl.Series("path", list(found.paths), dtype=pl.String)
    splits = list(found.splits) or [""] * len(listed)
    rows = pl.DataFrame(
        {"line": np.arange(1, len(listed) + 1), "path": listed, "node": chosen, "split": _split_names(splits, at)},
        schema_overrides={"line": pl.Int64, "node": pl.Int64, "split": pl.String},
    ).filter(pl.col("node") >= 0)
    rows = rows.with_columns(file=on_disk(found.root, rows["path"]))
    rows = one_row_per_file(rows.with_columns(key=file_keys(found.root, rows["file"])), "key", at, unit="image")
    images, unusable = usable(found.root, rows["file"].to_list())
    skipped += [Skipped(s.path, "a URL, not a file") if "://" in s.path else s for s in unusable]
    _tell_skipped(skipped, len(images), at)
    if not images and unusable and all(skip.reason == "no such file" for skip in unusable):
        advice = 'Pass root="..." with the folder of the images.'
        first = f"none of {len(unusable)}, the first of them {unusable[0].path}"
        raise InputError(f"the images of the export in {found.root}", first, at=at, advice=advice)
    some_usable(images, skipped, Path(at))
    rows = rows.filter(~pl.col("file").is_in([skip.path for skip in unusable]))
    rows = one_row_per_file(rows.with_columns(inode=identities(found.root, images)), "inode", at, unit="image")
    dataset = Dataset(
        name=name,
        taxonomy=taxonomy,
        root=found.root,
        paths=tuple(rows["file"]),
        nodes=rows["node"].to_numpy().astype(np.int64),
        splits=_splits(rows["split"], at),
        skipped=tuple(skipped),
        notes=found.notes,
        source=source,
    )
    return dataset if dataset.splits else split(dataset, fractions, seed)


def _with_control(
    taxonomy: Taxonomy | str | PathLike[str] | None, reading: Mapping[str, Any] | None, options: Mapping[str, Any]
) -> Mapping[str, Any] | None:
    """Options of reading the taxonomy, with the control of the export for a Label Studio configuration."""
    if taxonomy is None or isinstance(taxonomy, Taxonomy) or "control" not in options:
        return reading
    path = Path(taxonomy).expanduser()
    kind = kind_of(path) if path.is_file() else None
    return {"control": options["control"], **(reading or {})} if kind is not None and kind.name == _CONFIG else reading


def _nodes(found: Labelled, taxonomy: Taxonomy | None, at: str) -> tuple[Taxonomy, Sequence[int]]:
    """The tree, and the node of each label in it."""
    if taxonomy is None and found.taxonomy is not None:
        return found.taxonomy, found.nodes
    tree = Taxonomy.from_paths(found.labels) if taxonomy is None else taxonomy
    if taxonomy is None:
        by_path = {tree.path_names(node): node for node in range(tree.num_nodes)}
    else:
        by_path = nodes_of_paths(tree, found.labels, at)
    return tree, [by_path[label] for label in found.labels]


def _split_names(names: Sequence[str], at: str) -> list[str]:
    different = dict.fromkeys(names)
    tell_joined((name for name in different if name), at)
    canonical = {name: split_name(name) or name for name in different}
    return [canonical[name] for name in names]


def _splits(names: pl.Series, at: str) -> dict[str, np.ndarray]:
    """Images of each split; empty if there are none or a single one without a name for training."""
    given = names.unique(maintain_order=True).to_list()
    blank = int((names == "").sum())
    if blank == len(names):
        return {}
    if blank:
        raise InputError("a split for every image, or for none", f"{counted(blank, 'image')} without", at=at)
    if "train" not in given:
        if len(given) == 1:
            warn(f"a single split, {given[0]!r}, which is split anew for training and testing", at=at)
            return {}
        warn(f"the splits {some(given)}, none of them for training", at=at, advice='Name one of them "train".')
    array = names.to_numpy()
    order = [*(name for name in _KNOWN_SPLITS if name in given), *(n for n in given if n not in _KNOWN_SPLITS)]
    return {name: np.flatnonzero(array == name) for name in order}


def _tell_skipped(skipped: Sequence[Skipped], kept: int, at: str) -> None:
    """Warn if many images of an export have no single label, with the first ones."""
    unclear = [skip for skip in skipped if " labels" in skip.reason]
    if unclear:
        first = f"{unclear[0].path} ({unclear[0].reason})"
        advice = 'Pass several="common" to label each with the deepest node that they have in common.'
        text = f"{counted(len(unclear), 'image')} with several labels, left out of {kept + len(skipped):,}"
        warn(f"{text}, such as {first}", at=at, advice=advice if "nothing" not in unclear[0].reason else "")


def _name(path: Path) -> str:
    return path.name if path.is_dir() else Path(path.name.removesuffix(".gz")).stem
