"""Datasets from a table of all images with their splits and nodes, for millions of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from cladewise.datasets.dataset import Dataset, Skipped
from cladewise.datasets.files.listing import missing_files
from cladewise.datasets.files.walking import some_usable
from cladewise.taxonomy import Taxonomy

_SPLITS = ("train", "val", "test")
"""The order of splits."""


def dataset_of_rows(
    rows: pl.DataFrame,
    taxonomy: Taxonomy,
    *,
    name: str,
    root: Path,
    source: Mapping[str, Any],
    credit: str,
    notes: Sequence[str] = (),
) -> Dataset:
    """The dataset of the listed images whose files exist; the others are listed as skipped.

    Folders are listed, and no image is opened. An image that cannot be read is noticed when it is decoded.

    Args:
        rows: Columns ``split``, ``path`` (relative to ``root``) and ``node``, one row per image.
        taxonomy: The tree.
        name: Name of the dataset.
        root: Folder of the paths.
        source: Arguments that recreate it.
        credit: Authors and licence of the images.
        notes: Findings to show in summaries.

    Raises:
        InputError: None of the images exists.

    Example:
        >>> folder = getfixture("tmp_path")
        >>> (folder / "1.jpg").touch()
        >>> tree = Taxonomy.from_paths([("wren",), ("robin",)])
        >>> rows = pl.DataFrame({"split": ["train", "test"], "path": ["1.jpg", "2.jpg"], "node": [1, 2]})
        >>> found = dataset_of_rows(rows, tree, name="birds", root=folder, source={}, credit="")
        >>> found.paths, found.skipped
        (('1.jpg',), (Skipped(path='2.jpg', reason='no such file'),))
    """
    lost = missing_files(root, rows["path"])
    skipped = tuple(Skipped(path, "no such file") for path in rows["path"].gather(lost))
    if lost.size:
        kept = np.ones(rows.height, dtype=np.bool_)
        kept[lost] = False
        rows = rows.filter(pl.Series(kept))
    paths = rows["path"].to_list()
    some_usable(paths, list(skipped), root)
    splits = sorted(rows["split"].unique().to_list(), key=_SPLITS.index)
    return Dataset(
        name=name,
        taxonomy=taxonomy,
        root=root,
        paths=tuple(paths),
        nodes=rows["node"].to_numpy().astype(np.int64),
        splits={split: np.flatnonzero((rows["split"] == split).to_numpy()) for split in splits},
        skipped=skipped,
        source=source,
        credit=credit,
        notes=tuple(notes),
    )
