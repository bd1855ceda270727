"""Per-image values of an evaluation, read from disk and checked against the tree."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl

from cladewise.errors import InputError
from cladewise.parquet import read_parquet, read_parquet_schema
from cladewise.taxonomy import Taxonomy

PREDICTED_LEVEL = "predicted_"
"""Prefix of the columns of answers by level, for decisions that give one node per level."""
LABEL_SETS = "labels"
"""Column of answers that are arbitrary sets of labels."""
NODES, LOG_PROBS = "operating_nodes", "operating_log_probs"
"""Columns of each image's answers from the root to a leaf, and of their log-probabilities."""

ORDER = ("path", "target")
"""Columns that every file has, in the order in which images are sorted by them."""


def read_outcomes(
    file: Path, taxonomy: Taxonomy, *, num_images: int, advice: str, columns: Sequence[str] | None = None
) -> pl.DataFrame:
    """One row per image, ordered by path.

    Args:
        file: The Parquet file.
        taxonomy: The tree that its nodes belong to.
        num_images: Number of images stated by the evaluation.
        advice: Advice if the file is damaged.
        columns: Columns to read besides path and label; all by default.

    Raises:
        InputError: The file is missing or damaged, or belongs to another evaluation or tree.
    """
    missing = {*ORDER, *(columns or ())} - set(columns_of(file, advice=advice))
    if missing:
        raise InputError(f"the columns {', '.join(sorted(missing))}", "none of them", at=str(file), advice=advice)
    outcomes = read_parquet(file, columns=None if columns is None else [*ORDER, *columns], advice=advice)
    if outcomes.is_empty():
        raise InputError("an evaluation of at least one image", "none", at=str(file), advice=advice)
    if outcomes.height != num_images:
        got = f"{outcomes.height:,}"
        raise InputError(f"the values of {num_images:,} images, as in the .json", got, at=str(file), advice=advice)
    wrong = _problem(outcomes, taxonomy)
    if wrong:
        raise InputError("per-image values of this run", wrong, at=str(file), advice=advice)
    return outcomes.sort(*ORDER, maintain_order=True)


def columns_of(file: Path, *, advice: str) -> list[str]:
    """Names of the columns of a Parquet file.

    Raises:
        InputError: It is missing, or not a Parquet file.
    """
    if not file.is_file():
        raise InputError("the per-image values of the evaluation", "no such file", at=str(file), advice=advice)
    return list(read_parquet_schema(file, advice=advice))


def _problem(outcomes: pl.DataFrame, taxonomy: Taxonomy) -> str:
    """Description of the first column whose values do not fit its name; empty if there is none."""
    if outcomes["path"].dtype != pl.String or outcomes["path"].null_count():
        return f"path as {outcomes['path'].dtype}, with {outcomes['path'].null_count()} empty"
    for name in outcomes.columns:
        column = outcomes[name]
        if name in ("predicted", "lca") and bool((column.fill_null(-1) < 0).all()):
            continue  # answers by level, or sets of labels
        if name in ("target", "predicted", "lca") or name.startswith(PREDICTED_LEVEL):
            if not _are_nodes(column, taxonomy.num_nodes):
                return f"values in {name} that are no node of the {taxonomy.num_nodes:,} of the taxonomy"
        elif name in (NODES, LABEL_SETS):
            if column.dtype != pl.List or not _are_nodes(_elements(column), taxonomy.num_nodes):
                return f"values in {name} that are no node of the {taxonomy.num_nodes:,} of the taxonomy"
        elif name == LOG_PROBS:
            if NODES in outcomes.columns and not outcomes[NODES].list.len().equals(column.list.len()):
                return f"lists in {name} of other lengths than in {NODES}"
        elif name != "path" and not (
            column.dtype.is_numeric() or column.dtype == pl.Boolean or column.dtype == pl.Null
        ):
            return f"{name} as {column.dtype}"
    return ""


def _elements(column: pl.Series) -> pl.Series:
    """The lists, concatenated."""
    return pl.Series(values=column.to_arrow().flatten())


def _are_nodes(column: pl.Series, num_nodes: int) -> bool:
    if column.is_empty():
        return True
    if not column.dtype.is_integer() or column.null_count():
        return False
    values = column.to_numpy()
    return bool((np.min(values) >= 0) & (np.max(values) < num_nodes))
