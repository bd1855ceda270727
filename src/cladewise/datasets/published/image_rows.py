"""Datasets from a table of all images with their splits and nodes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import polars as pl

from cladewise.datasets.dataset import Dataset, Skipped
from cladewise.datasets.files.listing import missing_files
from cladewise.datasets.files.walking import some_usable, usable
from cladewise.taxonomy import Taxonomy

_SPLITS = ("train", "val", "test")
"""The order of splits."""
_SCHEMA = {"split": pl.String, "path": pl.String, "node": pl.Int64}


def image_rows(rows: Sequence[tuple[str, str, int]]) -> pl.DataFrame:
    """Split, path and node of every image as the table of :func:`dataset_of_rows`."""
    return pl.DataFrame(rows, schema=_SCHEMA, orient="row")


def dataset_of_rows(
    rows: pl.DataFrame,
    taxonomy: Taxonomy,
    *,
    name: str,
    root: Path,
    source: Mapping[str, Any],
    credit: str,
    notes: Sequence[str] = (),
    check: Literal["files", "folders"] = "folders",
) -> Dataset:
    """The dataset of the listed images that can be used, with all listed splits; the others are listed as skipped.

    With ``check="folders"``, each folder is listed once and no image is opened, which takes seconds for millions of
    images; a file that is no image is noticed when it is decoded. With ``check="files"``, the first bytes of each file
    are read, so that such a file is skipped as well.

    Args:
        rows: Columns ``split``, ``path`` (relative to ``root``) and ``node``, one row per image.
        taxonomy: The tree.
        name: Name of the dataset.
        root: Folder of the paths.
        source: Arguments that recreate it.
        credit: Authors and licence of the images.
        notes: Findings to show in summaries.
        check: How to find images that cannot be used.

    Raises:
        InputError: No image can be used.

    Example:
        >>> folder = getfixture("tmp_path")
        >>> (folder / "1.jpg").touch()
        >>> tree = Taxonomy.from_paths([("wren",), ("robin",)])
        >>> rows = pl.DataFrame({"split": ["train", "test"], "path": ["1.jpg", "2.jpg"], "node": [1, 2]})
        >>> found = dataset_of_rows(rows, tree, name="birds", root=folder, source={}, credit="")
        >>> found.paths, found.skipped
        (('1.jpg',), (Skipped(path='2.jpg', reason='no such file'),))
    """
    splits = sorted(rows["split"].unique().to_list(), key=_SPLITS.index)
    if check == "files":
        paths, skipped = usable(root, rows["path"])
        rows = rows.filter(pl.col("path").is_in(paths)) if skipped else rows
    else:
        rows, skipped = _with_files(rows, root)
        paths = rows["path"].to_list()
    some_usable(paths, skipped, root)
    return Dataset(
        name=name,
        taxonomy=taxonomy,
        root=root,
        paths=tuple(paths),
        nodes=rows["node"].to_numpy().astype(np.int64),
        splits={split: np.flatnonzero((rows["split"] == split).to_numpy()) for split in splits},
        skipped=tuple(skipped),
        source=source,
        credit=credit,
        notes=tuple(notes),
    )


def _with_files(rows: pl.DataFrame, root: Path) -> tuple[pl.DataFrame, list[Skipped]]:
    """The rows whose file exists, and the other images."""
    lost = missing_files(root, rows["path"])
    if not lost.size:
        return rows, []
    kept = np.ones(rows.height, dtype=np.bool_)
    kept[lost] = False
    return rows.filter(pl.Series(kept)), [Skipped(path, "no such file") for path in rows["path"].gather(lost)]
