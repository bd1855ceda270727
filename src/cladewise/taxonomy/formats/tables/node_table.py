"""The node table ``id,parent,name,level,...``: one row per node in pre-order, which keeps everything."""

from __future__ import annotations

import numpy as np
import polars as pl

from cladewise.errors import InputError
from cladewise.taxonomy.checks.problems import some
from cladewise.taxonomy.formats.tables.level_order import join_levels
from cladewise.taxonomy.tree import Taxonomy

COLUMNS = ("id", "parent", "name", "level")


def nodes_from_taxonomy(taxonomy: Taxonomy) -> pl.DataFrame:
    """The node table of a tree.

    ``id`` is the node index, or the column ``id`` of the nodes where there is one; ``parent`` is the parent's id and
    empty at the root; ``level`` is the name of the level, and at the root it lists all of them, coarse to fine
    (``order > family > species``). A synthetic root has no name.

    Raises:
        InputError: A node below the root has no name, ids are blank or repeat, or a further column is called
            ``parent``, ``name`` or ``level``.
    """
    taken = [name for name in taxonomy.columns if name in COLUMNS[1:]]
    if taken:
        raise InputError("further columns with other names than parent, name and level", some(taken))
    names = pl.Series("name", taxonomy.names.tolist(), dtype=pl.String)
    blank = (names.str.strip_chars() == "").arg_true().to_list()
    wrong = [node for node in blank if node > 0 or not taxonomy.synthetic_root]
    if wrong:
        raise InputError("a name for every node", f"{len(wrong)} without", at=f"node {wrong[0]}")
    if taxonomy.synthetic_root:
        names = names.scatter(0, "")
    ids = [str(node) for node in range(taxonomy.num_nodes)]
    if "id" in taxonomy.columns:
        ids = taxonomy.columns["id"].tolist()
    key = pl.Series("id", ids, dtype=pl.String)
    twice = key.is_duplicated() | (key.str.strip_chars() == "")
    if taxonomy.synthetic_root and ids[0] == "":
        twice = twice.scatter(0, False)  # a synthetic root needs no id
    if twice.any():
        raise InputError("a unique id for every node", some(key.filter(twice).unique().sort().to_list()))
    above = key.gather(np.maximum(taxonomy.parents, 0)).alias("parent").scatter(0, "")
    level_names = ["", *taxonomy.level_names]
    level = pl.Series("level", level_names, dtype=pl.String).gather(taxonomy.level)
    level = level.scatter(0, join_levels(taxonomy.level_names))
    extra = [
        pl.Series(name, texts.tolist(), dtype=pl.String) for name, texts in taxonomy.columns.items() if name != "id"
    ]
    return pl.DataFrame([key, above, names, level, *extra])
