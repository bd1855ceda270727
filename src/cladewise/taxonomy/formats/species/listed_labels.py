"""Trees of label lists, one label per line, in which a line says where its label belongs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl

from cladewise.errors import InputError
from cladewise.taxonomy.all_paths import path_texts
from cladewise.taxonomy.checks.problems import some
from cladewise.taxonomy.formats.tables.level_table import taxonomy_from_levels
from cladewise.taxonomy.formats.tables.table import Table
from cladewise.taxonomy.names.columns import FORMER_IDS, ID, NAME_SEPARATOR, escaped_names
from cladewise.taxonomy.tree import Taxonomy

INDEX = "index"
"""Column for the position of a label in its list, from 0, which is usually that of a model's output."""


def tree_of_labels(frame: pl.DataFrame, path: Path, levels: Sequence[str]) -> Taxonomy:
    """Build a tree from labels with their levels; nodes that no line lists have their path as ``id``.

    Several lines at one node are one node: the first line's id is its ``id``, and those of the others become former
    ids, since they mean this node too.

    Args:
        frame: One row per line, with ``id``, ``index``, a column for each level, and further texts.
        path: The file, for messages.
        levels: Columns that are levels, coarse to fine.

    Raises:
        InputError: An id is that of labels at several nodes.

    Example:
        >>> frame = pl.DataFrame({"id": ["7"], "index": ["0"], "genus": ["Turdus"], "species": ["Turdus merula"]})
        >>> tree = tree_of_labels(frame, Path("labels.txt"), ["genus", "species"])
        >>> tree.columns["id"].tolist()
        ['', 'Turdus', '7']
    """
    further = [name for name in frame.columns if name not in levels]
    frame = frame.with_columns(escaped_names(frame[ID]).alias(FORMER_IDS))
    one = frame.group_by(levels, maintain_order=True).agg(
        *(pl.col(name).filter(pl.col(name) != "").first().fill_null("") for name in further),
        pl.col(FORMER_IDS).slice(1).str.join(NAME_SEPARATOR),
    )
    again = one.filter((pl.col(ID) != "") & ~pl.col(ID).is_first_distinct())[ID].unique(maintain_order=True).to_list()
    if again:
        raise InputError("an id for one label each", f"{some(again)} for several", at=str(path))
    several = bool((one[FORMER_IDS] != "").any())
    columns = [*further, *([FORMER_IDS] if several else [])]
    tree = taxonomy_from_levels(Table(one, source=str(path), path=path), levels=levels, columns=columns)
    ids = tree.columns[ID]
    return tree.with_columns({**tree.columns, ID: np.where(ids == "", path_texts(tree), ids)})
