"""Folders of images with a table of their labels, as Hugging Face's ``imagefolder`` reads: ``metadata.csv`` and others.

A table lists the images of its folder under ``file_name``; a folder with tables in its subfolders has a split in each.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from cladewise.datasets.exports.label_columns import LabelColumns, label_columns, tree_of_labels
from cladewise.datasets.exports.labelled import Labelled
from cladewise.datasets.split_names import split_name
from cladewise.errors import InputError
from cladewise.taxonomy.checks.problems import some

_TABLES = ("metadata.csv", "metadata.jsonl", "metadata.parquet")
_FILE = "file_name"


def has_labels(path: Path) -> bool:
    """Whether a folder has tables of images with a column of labels; those of captions alone do not count.

    Example:
        >>> folder = getfixture("tmp_path")
        >>> _ = (folder / "metadata.csv").write_text("file_name,text\\na.png,a wren\\n")
        >>> has_labels(folder)
        False
    """
    tables = _tables(path)
    try:
        return bool([_columns(_read(table), "", str(table)) for table in tables])
    except InputError:
        return False


def read(path: Path, root: Path | None, *, label: str = "") -> Labelled:
    """Images and labels of the tables.

    Args:
        path: The folder, or one table.
        root: Folder that file names start from; by default that of their table.
        label: Columns with the labels, coarse to fine, with commas between; by default ranks, or a column called
            ``label``.

    Raises:
        InputError: A table cannot be read, tables differ, or it is unclear which columns are labels.
    """
    tables = _tables(path)
    if not tables:
        raise InputError(f"a table {' or '.join(_TABLES)}", "none", at=str(path))
    top = path if path.is_dir() else path.parent
    paths, splits = list[str](), list[str]()
    numbers: dict[tuple[str, ...], int] = {}
    pairs: list[tuple[int, int]] = []
    columns: LabelColumns | None = None
    for table in tables:
        frame = _read(table)
        columns = columns or _columns(frame, label, str(table))
        lacking = [name for name in (_FILE, *columns.columns) if name not in frame.columns]
        if lacking:
            raise InputError(f"a column {lacking[0]}", some(frame.columns, 20), at=str(table))
        folder = "" if root is not None or table.parent == top else f"{table.parent.name}/"
        split = split_name(table.parent.name) or table.parent.name if table.parent != top else ""
        for row in frame.select(_FILE, *columns.columns).iter_rows(named=True):
            for names in columns.labels(row):
                pairs.append((len(paths), numbers.setdefault(names, len(numbers))))
            paths.append(f"{folder}{row[_FILE]}")
            splits.append(split)
    assert columns is not None
    tree, nodes, labels = tree_of_labels(list(numbers), columns, str(path))
    return Labelled(
        root=root or top,
        paths=paths,
        labels=labels,
        image=np.array([image for image, _ in pairs], dtype=np.int64),
        label=np.array([number for _, number in pairs], dtype=np.int64),
        splits=splits if any(splits) and len(tables) > 1 else [],
        taxonomy=tree,
        nodes=nodes,
    )


def _tables(path: Path) -> list[Path]:
    """The tables of a folder or, if it has none itself, of its subfolders."""
    if not path.is_dir():
        return [path]
    own = [path / name for name in _TABLES if (path / name).is_file()]
    return own or sorted(table for name in _TABLES for table in path.glob(f"*/{name}"))


def _read(table: Path) -> pl.DataFrame:
    try:
        match table.suffix:
            case ".jsonl":
                return pl.read_ndjson(table, infer_schema_length=None)
            case ".parquet":
                return pl.read_parquet(table)
            case _:
                return pl.read_csv(table, infer_schema=False)
    except (pl.exceptions.PolarsError, OSError, ValueError) as error:
        raise InputError("a table that can be read", str(error).splitlines()[0], at=str(table)) from error


def _columns(frame: pl.DataFrame, label: str, at: str) -> LabelColumns:
    """The columns of labels of a table.

    Raises:
        InputError: It lists no files, or it is unclear which columns they are.
    """
    if _FILE not in frame.columns:
        raise InputError(f"a column {_FILE}", some(frame.columns, 20), at=at)
    return label_columns([name for name in frame.columns if not name.endswith(_FILE)], {}, label, at)
