"""Trees as COCO ``categories``, and the ids of their categories."""

from __future__ import annotations

import dataclasses

import numpy as np
import polars as pl

from cladewise.taxonomy.arrays import BoolArray, IntArray
from cladewise.taxonomy.names.columns import ID
from cladewise.taxonomy.tree import Taxonomy

_WHOLE = r"^(0|[1-9]\d{0,17})$"


@dataclasses.dataclass(frozen=True)
class CategoryIds:
    """Ids of a tree's nodes as categories, which are whole numbers in COCO.

    Attributes:
        ids: A different number for every node.
        own: Whether it is the node's own ``id``.
    """

    ids: IntArray
    own: BoolArray


def category_ids(taxonomy: Taxonomy) -> CategoryIds:
    """The number of every node as a category.

    A node's own ``id``, if all ids of the tree are different whole numbers; nodes without one are counted on from the
    largest, in the order of the tree. Otherwise the numbers of the nodes themselves.

    Example:
        >>> tree = Taxonomy([-1, 0, 1, 1], ["", "bird", "wren", "robin"], columns={"id": ["", "", "7", "3"]})
        >>> category_ids(tree).ids.tolist()
        [8, 9, 7, 3]
    """
    nodes = np.arange(taxonomy.num_nodes)
    if ID not in taxonomy.columns:
        return CategoryIds(nodes, np.zeros(nodes.size, dtype=bool))
    texts = pl.Series(taxonomy.columns[ID].tolist(), dtype=pl.String).str.strip_chars()
    given = texts.filter(texts != "")
    if not given.len() or not given.str.contains(_WHOLE).all() or given.is_duplicated().any():
        return CategoryIds(nodes, np.zeros(nodes.size, dtype=bool))
    own = (texts != "").to_numpy()
    ids = np.empty(nodes.size, dtype=np.int64)
    ids[own] = given.cast(pl.Int64).to_numpy()
    ids[~own] = ids[own].max() + 1 + np.arange((~own).sum())
    return CategoryIds(ids, own)
