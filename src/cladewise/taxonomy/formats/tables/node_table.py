"""The node table ``id,parent,name,level,...``: one row per node in pre-order, which keeps everything."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from cladewise.errors import InputError
from cladewise.taxonomy.checks.problems import some
from cladewise.taxonomy.formats.tables.level_order import join_levels
from cladewise.taxonomy.further_edges import COLUMN
from cladewise.taxonomy.names.columns import join_names
from cladewise.taxonomy.tree import Taxonomy

COLUMNS = ("id", "parent", "name", "level")


def nodes_from_taxonomy(taxonomy: Taxonomy) -> pl.DataFrame:
    """The node table of a tree.

    ``id`` is the node index, or the column ``id`` of the nodes where there is one; ``parent`` is the parent's id and
    empty at the root; ``level`` is the name of the level, and at the root it lists all of them, coarse to fine
    (``order > family > species``). A synthetic root has no name. If some node has several parents, the column
    ``further_parents`` holds the ids of those apart from ``parent``, with ``|`` between them.

    Raises:
        InputError: A node below the root has no name, ids are blank or repeat, or a further column is called
            ``parent``, ``name``, ``level`` or ``further_parents``.
    """
    own = (*COLUMNS[1:], COLUMN)
    taken = [name for name in taxonomy.columns if name in own]
    if taken:
        raise InputError(f"further columns with other names than {', '.join(own)}", some(taken))
    names = pl.Series("name", taxonomy.names.tolist(), dtype=pl.String)
    blank = (names.str.strip_chars() == "").arg_true().to_list()
    wrong = [node for node in blank if node > 0 or not taxonomy.synthetic_root]
    if wrong:
        raise InputError("a name for every node", f"{len(wrong)} without", at=f"node {wrong[0]}")
    if taxonomy.synthetic_root:
        names = names.scatter(0, "")
    ids = unique_ids(taxonomy)
    key = pl.Series("id", ids, dtype=pl.String)
    above = key.gather(np.maximum(taxonomy.parents, 0)).alias("parent").scatter(0, "")
    level_names = ["", *taxonomy.level_names]
    level = pl.Series("level", level_names, dtype=pl.String).gather(taxonomy.level)
    level = level.scatter(0, join_levels(taxonomy.level_names))
    further = [pl.Series(COLUMN, further_ids(taxonomy, ids), dtype=pl.String)] if taxonomy.has_further_parents else []
    extra = [
        pl.Series(name, texts.tolist(), dtype=pl.String) for name, texts in taxonomy.columns.items() if name != "id"
    ]
    return pl.DataFrame([key, above, names, level, *further, *extra])


def unique_ids(taxonomy: Taxonomy) -> list[str]:
    """The id of every node: of the column ``id`` if there is one, otherwise its index. Only a synthetic root may have
    none.

    Raises:
        InputError: Ids are blank or repeat.

    Example:
        >>> unique_ids(Taxonomy.from_paths([("a",)]))
        ['0', '1']
    """
    if "id" not in taxonomy.columns:
        return [str(node) for node in range(taxonomy.num_nodes)]
    ids: list[str] = taxonomy.columns["id"].tolist()
    key = pl.Series("id", ids, dtype=pl.String)
    twice = key.is_duplicated() | (key.str.strip_chars() == "")
    if taxonomy.synthetic_root and ids[0] == "":
        twice = twice.scatter(0, False)
    if twice.any():
        wrong = [text for text in key.filter(twice).unique().sort().to_list() if text.strip()]
        node = int(twice.arg_true()[0])
        got = f"several of {some(wrong)}" if wrong else f"{int(twice.sum()):,} without"
        advice = "Fill in the column 'id', or leave it out to number the nodes."
        raise InputError("a unique id for every node", got, at=taxonomy.path_name(node) or "the root", advice=advice)
    return ids


def further_ids(taxonomy: Taxonomy, ids: Sequence[str]) -> list[str]:
    """Cell of the column ``further_parents`` for each node: the ids of its further parents, with ``|`` between them.

    Example:
        >>> t = Taxonomy([-1, 0, 0, 2], ["food", "fruit", "vegetable", "tomato"], further_parents=[(3, 1)])
        >>> further_ids(t, ["F", "f", "v", "t"])
        ['', '', '', 'f']
    """
    found: dict[int, list[str]] = {}
    pairs: list[tuple[int, int]] = taxonomy.further_parents.tolist()
    for node, parent in pairs:
        found.setdefault(node, []).append(ids[parent])
    return [join_names(found.get(node, ())) for node in range(len(ids))]
