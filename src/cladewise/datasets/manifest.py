"""A manifest: a table of files and their labels."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from cladewise.datasets.dataset import Dataset
from cladewise.datasets.listing import as_taxonomy, some_usable, split_name, usable
from cladewise.datasets.splitting import FRACTIONS, split
from cladewise.errors import InputError
from cladewise.taxonomy import Taxonomy

_SEPARATORS = {".csv": ",", ".tsv": "\t", ".txt": "\t"}
_SHOWN = 20  # complaints listed in one error


def from_manifest(
    path: str | PathLike[str],
    taxonomy: Taxonomy | str | PathLike[str] | None = None,
    *,
    taxonomy_options: Mapping[str, Any] | None = None,
    root: str | PathLike[str] | None = None,
    fractions: Mapping[str, float] = FRACTIONS,
    seed: int = 0,
) -> Dataset:
    """Read a table with the columns ``path``, ``label`` and perhaps ``split``, from CSV, TSV or Parquet.

    Args:
        path: The table.
        taxonomy: The label tree, or a file that holds it. A label is a short name that is unique in it, or a path.
            Without one every label is a path, ``Fruit/Apple``, and these are the tree.
        taxonomy_options: Options of :func:`cladewise.taxonomy.read` for that file: ``{"separator": ";"}``.
        root: Folder that the files' paths are relative to; by default the table's own.
        fractions: Shares of the stratified splits, made where there is no column ``split``.
        seed: Seed of those.

    Raises:
        InputError: No such table or columns, labels that the taxonomy does not have or has several times (all are
            listed, with their lines), a file with two labels or in two splits, or no usable image.

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
    rows = _distinct(_read(table), table)

    recorded: dict[str, Any] = {}
    if taxonomy is None:
        tree = Taxonomy.from_paths(_label_paths(rows, table))
        node_by_label = {label: tree.matches(_names(label))[0] for label in rows["label"].unique()}
    else:
        tree, recorded = as_taxonomy(taxonomy, taxonomy_options)
        node_by_label = _find_all(tree, rows, table)

    images, skipped = usable(folder, rows["path"].to_list())
    some_usable(images, skipped, table)
    kept = rows.filter(~pl.col("path").is_in([skip.path for skip in skipped]))
    splits = _splits(kept, table)
    dataset = Dataset(
        name=table.stem,
        taxonomy=tree,
        root=folder,
        paths=tuple(images),
        nodes=np.array([node_by_label[label] for label in kept["label"]], dtype=np.int64),
        splits=splits,
        skipped=tuple(skipped),
        source={"kind": "manifest", "path": str(table), "root": str(folder), **recorded},
    )
    return dataset if splits else split(dataset, fractions, seed)


def _read(table: Path) -> pl.DataFrame:
    """The columns of interest as text, with the line of each row in the file."""
    parquet = table.suffix == ".parquet"
    if not parquet and table.suffix not in _SEPARATORS:
        raise InputError("a manifest ending in .csv, .tsv or .parquet", repr(table.name))
    if not table.is_file():
        raise InputError("a manifest", "no such file", at=str(table))
    try:
        if parquet:
            frame = pl.read_parquet(table)
        else:
            frame = pl.read_csv(table, separator=_SEPARATORS[table.suffix], infer_schema=False)
    except (pl.exceptions.PolarsError, OSError) as error:
        text = str(error).splitlines()[0]
        raise InputError(f"a manifest that can be read as {table.suffix[1:].upper()}", text, at=str(table)) from error
    missing = [name for name in ("path", "label") if name not in frame.columns]
    if missing:
        raise InputError("the columns path and label", ", ".join(frame.columns), at=f"{table}:1")
    chosen = [name for name in ("path", "label", "split") if name in frame.columns]
    texts = frame.select(pl.col(chosen).cast(pl.String).str.strip_chars().fill_null(""))
    return texts.with_row_index("line", offset=1 if parquet else 2)


def _distinct(rows: pl.DataFrame, table: Path) -> pl.DataFrame:
    """The rows, once each.

    Raises:
        InputError: A row has no path, or a file comes with two labels or in two splits.
    """
    blank = rows.filter(pl.col("path") == "")["line"].to_list()
    if blank:
        raise InputError("a path in every row", f"none in {len(blank)}", at=f"{table}:{blank[0]}")
    once = rows.unique([name for name in rows.columns if name != "line"], keep="first", maintain_order=True)
    again = once.filter(pl.col("path").is_duplicated()).sort("path", "line")
    if again.height:
        lines = again.filter(pl.col("path") == again["path"][0])["line"].to_list()
        raise InputError(
            "one label and one split for every file",
            f"{again['path'].n_unique()} files with several, such as {again['path'][0]!r} in lines "
            + " and ".join(map(str, lines)),
            at=f"{table}:{lines[-1]}",
        )
    return once


def _names(label: str) -> tuple[str, ...]:
    return tuple(label.strip("/").split("/"))


def _label_paths(rows: pl.DataFrame, table: Path) -> list[tuple[str, ...]]:
    """The labels as paths, in the order of the table."""
    labels = rows.unique("label", keep="first", maintain_order=True)
    blank = [line for line, label in labels.select("line", "label").iter_rows() if "" in _names(label)]
    if blank:
        raise InputError("labels that are paths, as in Fruit/Apple", "a blank name", at=f"{table}:{blank[0]}")
    return [_names(label) for label in labels["label"]]


def _find_all(tree: Taxonomy, rows: pl.DataFrame, table: Path) -> dict[str, int]:
    first = rows.unique("label", keep="first", maintain_order=True)
    found: dict[str, list[int]] = {label: tree.matches(label) if label else [] for label in first["label"]}
    wrong = [label for label, nodes in found.items() if len(nodes) != 1]
    if wrong:
        lines = dict(rows.group_by("label").agg("line").iter_rows())
        shown = [f"{_complaint(tree, label, found[label])} in {_lines(lines[label])}" for label in wrong[:_SHOWN]]
        raise InputError(
            "labels that name one node of the taxonomy each",
            f"{len(wrong)} that do not: {'; '.join(shown)}" + ("; ..." if len(wrong) > _SHOWN else ""),
            at=str(table),
            advice="Correct them, or add them to the taxonomy; where a name repeats, give the path.",
        )
    return {label: nodes[0] for label, nodes in found.items()}


def _complaint(tree: Taxonomy, label: str, nodes: list[int]) -> str:
    if not label:
        return "a blank label"
    return f"{label!r}" + (f" ({' or '.join(tree.path_name(v) for v in nodes[:3])})" if nodes else "")


def _lines(lines: list[int]) -> str:
    shown = ", ".join(map(str, lines[:5])) + (f" and {len(lines) - 5} more" if len(lines) > 5 else "")
    return f"line {shown}" if len(lines) == 1 else f"lines {shown}"


def _splits(rows: pl.DataFrame, table: Path) -> dict[str, np.ndarray[Any, np.dtype[np.int64]]]:
    """Images of each split; none where the column is missing or blank throughout."""
    if "split" not in rows.columns or (rows["split"] == "").all():
        return {}
    blank = rows.filter(pl.col("split") == "")["line"].to_list()
    if blank:
        raise InputError("a split for every file, or for none", f"{len(blank)} files without", at=f"{table}:{blank[0]}")
    names = [split_name(name) or name for name in rows["split"]]
    return {name: np.flatnonzero(np.array(names) == name) for name in dict.fromkeys(names)}
