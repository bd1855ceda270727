"""A manifest: a table of files and their labels."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cladewise.datasets.dataset import Dataset, Skipped
from cladewise.datasets.files.other_files import counted
from cladewise.datasets.files.same_files import file_keys, identities, on_disk, one_row_per_file
from cladewise.datasets.files.walking import given_taxonomy, some_usable, tell_odd_names, usable
from cladewise.datasets.further_columns import FurtherColumns
from cladewise.datasets.manifest_table import LABEL, PATH, SPLIT, Manifest, ManifestColumns, read_manifest
from cladewise.datasets.odd_labels import tell_odd_labels
from cladewise.datasets.split_names import split_name, tell_joined
from cladewise.datasets.splitting import FRACTIONS, split
from cladewise.errors import InputError, warn
from cladewise.taxonomy import Taxonomy
from cladewise.taxonomy.checks.problems import some
from cladewise.taxonomy.formats.tables.column_names import squeezed, words
from cladewise.taxonomy.names.lookup import BLANKS
from cladewise.taxonomy.names.paths import label_steps
from cladewise.taxonomy.names.sameness import composed

SPLIT_COLUMNS = words("istrain train istest test fold subset partition set phase usage splits datasplit")

IntArray = NDArray[np.int64]


def from_manifest(
    path: str | PathLike[str],
    taxonomy: Taxonomy | str | PathLike[str] | None = None,
    *,
    taxonomy_options: Mapping[str, Any] | None = None,
    root: str | PathLike[str] | None = None,
    path_column: str = PATH,
    label_column: str = LABEL,
    split_column: str | None = None,
    separator: str | None = None,
    fractions: Mapping[str, float] = FRACTIONS,
    seed: int = 0,
) -> Dataset:
    """Read a table with the columns ``path``, ``label`` and perhaps ``split``, from CSV, TSV or Parquet.

    A file in several rows, under the same path or different ones, is one image.

    Args:
        path: The table.
        taxonomy: The label tree, or its file. Labels are looked up with :meth:`cladewise.Taxonomy.find`: a unique name,
            id or synonym, or a path. Without a taxonomy the labels are paths such as ``Fruit/Apple``, which make up the
            tree.
        taxonomy_options: Options of :func:`cladewise.taxonomy.read` for that file: ``{"separator": ";"}``.
        root: Folder that the paths are relative to; by default that of the table.
        path_column: Column of the paths.
        label_column: Column of the labels.
        split_column: Column of the splits; by default ``split``, if there is such a column.
        separator: Character between the cells of a text table; by default detected.
        fractions: Shares of the stratified splits, used without a column of splits.
        seed: Seed of the stratified splits.

    Raises:
        InputError: No such table or columns, unknown or ambiguous labels (listed with their lines), a file with two
            labels or in two splits, or no usable image.

    Example:
        >>> from PIL import Image
        >>> folder = getfixture("tmp_path")
        >>> Image.new("RGB", (8, 8)).save(folder / "1.png")
        >>> _ = (folder / "images.csv").write_text("path,label,split\\n1.png,bird/wren,train\\n2.png,bird,train\\n")
        >>> photos = from_manifest(folder / "images.csv")
        >>> photos.paths, photos.skipped
        (('1.png',), (Skipped(path='2.png', reason='no such file'),))
    """
    table = Path(path).expanduser().absolute()
    folder = table.parent if root is None else Path(root).expanduser().absolute()
    columns = ManifestColumns(path_column, label_column, split_column)
    manifest = read_manifest(table, columns, separator=separator)

    tree, recorded = (None, {}) if taxonomy is None else given_taxonomy(taxonomy, taxonomy_options)
    tree, node_by_label = _tree_of(manifest) if tree is None else (tree, _nodes(tree, manifest))
    rows = _rows(manifest, node_by_label, folder)
    images, skipped = usable(folder, rows["file"].to_list())
    skipped = [Skipped(s.path, "a URL, not a file") if "://" in s.path else s for s in skipped]
    some_usable(images, skipped, table)
    rows = rows.filter(~pl.col("file").is_in([skip.path for skip in skipped]))
    rows = one_row_per_file(rows.with_columns(inode=identities(folder, images)), "inode", manifest.source)

    splits = _splits(rows, manifest)
    _tell_splits(splits, manifest)
    options = {**columns.given(), **({} if separator is None else {"separator": separator})}
    dataset = Dataset(
        name=Path(table.name.removesuffix(".gz")).stem,
        taxonomy=tree,
        root=folder,
        paths=tuple(rows["file"]),
        nodes=rows["node"].to_numpy().astype(np.int64),
        splits=splits,
        skipped=tuple(skipped),
        notes=_notes(manifest),
        source={"kind": "manifest", "path": str(table), "root": str(folder), **options, **recorded},
        columns=FurtherColumns(
            _further(manifest),
            rows["row"].to_numpy().astype(np.int64),
            manifest.rows.height,
            partial(_others, table, columns, separator),
            manifest.source,
        ),
    )
    return dataset if splits else split(dataset, fractions, seed)


def _tree_of(manifest: Manifest) -> tuple[Taxonomy, dict[str, int]]:
    """The tree of labels that are paths, in the order of the table, and the node of each label."""
    labels = manifest.rows.unique(LABEL, keep="first", maintain_order=True)
    steps = {label: label_steps(composed(label.strip(BLANKS))) for label in labels[LABEL]}
    blank = next((label for label, names in steps.items() if "" in names), None)
    if blank is not None:
        line = labels.filter(pl.col(LABEL) == blank)["line"][0]
        raise InputError("labels that are paths, as in Fruit/Apple", "a blank name", at=f"{manifest.source}:{line}")
    tree = Taxonomy.from_paths(steps.values())
    tell_odd_names(tree, manifest.source)
    tell_odd_labels(list(steps), manifest.rows.height, manifest.source)
    node_by_path = {tree.path_names(node): node for node in range(1, tree.num_nodes)}
    return tree, {label: node_by_path[names] for label, names in steps.items()}


def _nodes(tree: Taxonomy, manifest: Manifest) -> dict[str, int]:
    """The node of each label in a given tree."""
    labels = manifest.rows[LABEL].unique(maintain_order=True).to_list()
    try:
        nodes = tree.find(labels, at=manifest.source, place=manifest.lines)
    except InputError as error:
        other = manifest.column_of_labels(tree)
        if other is None:
            raise
        advice = f'The column {other!r} contains labels of the taxonomy: pass label_column="{other}" to use it.'
        raise InputError(error.expected, error.got, at=error.at, advice=f"{advice} {error.advice}") from None
    return dict(zip(labels, nodes.tolist(), strict=True))


def _rows(manifest: Manifest, node_by_label: Mapping[str, int], folder: Path) -> pl.DataFrame:
    """Row, line, path, file, node and split of each row, one row per path.

    Raises:
        InputError: A row has no path, or a file has two labels or is in two splits.
    """
    nodes = pl.col(LABEL).replace_strict(list(node_by_label), list(node_by_label.values()), return_dtype=pl.Int64)
    splits = pl.col(SPLIT).str.strip_chars(BLANKS) if SPLIT in manifest.rows.columns else pl.lit("")
    rows = manifest.rows.with_row_index("row").select(
        "row", "line", pl.col(PATH).str.strip_chars(BLANKS), node=nodes, split=splits
    )
    blank = rows.filter(pl.col(PATH) == "")["line"].to_list()
    if blank:
        raise InputError("a path in every row", f"none in {len(blank)}", at=f"{manifest.source}:{blank[0]}")
    names = rows[SPLIT].unique(maintain_order=True)
    rows = rows.with_columns(
        pl.col(SPLIT).replace(names, [split_name(name) or name for name in names]),
        file=on_disk(folder, rows[PATH]),
    )
    tell_joined((name for name in names if name), manifest.source)
    return one_row_per_file(rows.with_columns(key=file_keys(folder, rows["file"])), "key", manifest.source).drop("key")


def _notes(manifest: Manifest) -> tuple[str, ...]:
    unused = _further(manifest)
    return (f"{counted(len(unused), 'column')} not used: {some(unused)}",) if unused else ()


def _further(manifest: Manifest) -> tuple[str, ...]:
    """Names of the columns that are not used."""
    return tuple(name for name in manifest.others.columns if name and not name.startswith("#"))


def _others(table: Path, columns: ManifestColumns, separator: str | None) -> pl.DataFrame:
    """All columns that are not used, of all rows."""
    return read_manifest(table, columns, separator=separator).others


def _tell_splits(splits: Mapping[str, IntArray], manifest: Manifest) -> None:
    """Warn about splits without one for training, and about an unused column that could contain splits."""
    if splits and "train" not in splits:
        text = f"the splits {some(list(splits))}, none of them for training"
        warn(text, at=manifest.source, advice='Name the training split "train".')
    likely = [name for name in manifest.others.columns if squeezed(name) in SPLIT_COLUMNS]
    if likely and not splits:
        advice = f'Pass split_column="{likely[0]}" to use it.'
        warn(f"the column {likely[0]!r}, which could contain splits, is not used", at=manifest.source, advice=advice)


def _splits(rows: pl.DataFrame, manifest: Manifest) -> dict[str, IntArray]:
    """Images of each split; empty if the column is missing or entirely blank."""
    if (rows[SPLIT] == "").all():
        return {}
    blank = rows.filter(pl.col(SPLIT) == "")["line"].to_list()
    if blank:
        at = f"{manifest.source}:{blank[0]}"
        raise InputError("a split for every file, or for none", f"{counted(len(blank), 'file')} without", at=at)
    given = rows[SPLIT].to_numpy()
    return {name: np.flatnonzero(given == name) for name in rows[SPLIT].unique(maintain_order=True)}
