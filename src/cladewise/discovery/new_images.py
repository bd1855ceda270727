"""Images that a table of predictions calls new, as data to discover classes in."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

import numpy as np
import polars as pl

from cladewise.datasets import Dataset
from cladewise.errors import InputError
from cladewise.taxonomy import Taxonomy
from cladewise.taxonomy.names.paths import ROOT_NAME

NEW_IMAGES = "new"
"""Name of the split with the images."""
COLUMNS = ("path", "label_path", "new")


def new_images(table: str | PathLike[str], taxonomy: Taxonomy) -> Dataset:
    """The images of a table of predictions that are called new, labelled with the nodes that they are new under.

    Args:
        table: CSV or Parquet file as ``cladewise predict`` writes it, with the columns ``path``, ``label_path`` and
            ``new``. Relative paths are relative to the current folder, as they were given to it.
        taxonomy: The label tree of the answers.

    Raises:
        InputError: The table cannot be read or lacks a column, no image is called new, or an answer is not in the tree.

    Example:
        >>> table = getfixture("tmp_path") / "answers.csv"
        >>> said = {"path": ["a.jpg", "b.jpg"], "label_path": ["finch", "finch/serin"], "new": [True, False]}
        >>> pl.DataFrame(said).write_csv(table)
        >>> tree = Taxonomy.from_paths([("finch", "serin"), ("finch", "linnet")])
        >>> found = new_images(table, tree)
        >>> list(found.paths), found.nodes.tolist()
        (['a.jpg'], [1])
    """
    file = Path(table)
    advice = "Make one: cladewise predict RUN IMAGES --decision new-class --out answers.csv."
    if not file.is_file():
        raise InputError("a table of predictions", "no such file", at=str(file), advice=advice)
    try:
        rows = pl.read_parquet(file) if file.suffix == ".parquet" else pl.read_csv(file, infer_schema_length=None)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise InputError("a CSV or Parquet table", f"{error}".split("\n", 1)[0], at=str(file), advice=advice) from None
    missing = [name for name in COLUMNS if name not in rows.columns]
    if missing:
        raise InputError(f"the columns {', '.join(COLUMNS)}", f"none of {missing[0]}", at=str(file), advice=advice)
    said = rows["new"].cast(pl.String).str.to_lowercase().is_in(["true", "1"])
    rows = rows.filter(said & rows["label_path"].is_not_null())
    if not rows.height:
        raise InputError("images that are called new", "none", at=str(file))
    labels = rows["label_path"].to_list()
    nodes = {text: 0 if text == ROOT_NAME else taxonomy.find(text, at=str(file)) for text in set(labels)}
    return Dataset(
        name=file.name,
        taxonomy=taxonomy,
        root=Path(),
        paths=rows["path"].to_list(),
        nodes=np.array([nodes[text] for text in labels], dtype=np.int64),
        splits={NEW_IMAGES: np.arange(rows.height)},
    )
