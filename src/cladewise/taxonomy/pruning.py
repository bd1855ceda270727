"""A tree without some of its nodes and all that is below them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cladewise.errors import InputError
from cladewise.taxonomy.tree import Taxonomy

__all__ = ["remaining_place", "without_nodes"]

IntArray = NDArray[np.int64]


def without_nodes(taxonomy: Taxonomy, nodes: Sequence[int] | IntArray) -> tuple[Taxonomy, IntArray]:
    """The tree without some nodes and everything below them, and the nodes of the old tree that it keeps, ascending.

    The other nodes keep their names, levels and order. A level that loses all of its nodes goes if it was the finest.

    Args:
        taxonomy: The label tree.
        nodes: The nodes to remove; a node below another of them may be given too.

    Raises:
        InputError: The root is among them, or an inner node would become a leaf, which is another class than it was.

    Example:
        >>> t = Taxonomy.from_paths([("finch", "serin"), ("finch", "linnet"), ("finch", "siskin"), ("wren",)])
        >>> less, kept = without_nodes(t, [3])
        >>> [less.path_name(v) for v in less.leaf_nodes], kept.tolist()
        (['finch/serin', 'finch/siskin', 'wren'], [0, 1, 2, 4, 5])
    """
    chosen = np.unique(np.asarray(nodes, dtype=np.int64))
    if chosen.size and not 0 < chosen.min() <= chosen.max() < taxonomy.num_nodes:
        raise InputError(f"nodes from 1 to {taxonomy.num_nodes - 1}", f"{chosen.min()} to {chosen.max()}")
    change = np.zeros(taxonomy.num_nodes + 1, dtype=np.int64)
    np.add.at(change, chosen, 1)
    np.add.at(change, taxonomy.end[chosen], -1)
    kept = np.flatnonzero(change.cumsum()[:-1] == 0)
    children = np.bincount(taxonomy.parents[kept[1:]], minlength=taxonomy.num_nodes)
    emptied = kept[~taxonomy.is_leaf[kept] & (children[kept] == 0)]
    if emptied.size:
        raise InputError(
            "inner nodes that keep a child",
            f"{taxonomy.path_name(int(emptied[0])) or 'the root'}, which would keep none",
            advice="Remove the node itself instead, or fewer of its children.",
        )
    place = np.full(taxonomy.num_nodes, -1)
    place[kept] = np.arange(kept.size)
    edges = taxonomy.further_parents.reshape(-1, 2)
    level = taxonomy.level[kept]
    less = Taxonomy(
        np.where(taxonomy.parents[kept] < 0, -1, place[taxonomy.parents[kept]]),
        taxonomy.names[kept],
        level=level,
        level_names=taxonomy.level_names[: int(level.max())],
        columns={key: texts[kept] for key, texts in taxonomy.columns.items()},
        synthetic_root=taxonomy.synthetic_root,
        further_parents=place[edges[(place[edges] >= 0).all(1)]],
    )
    return less, kept


def remaining_place(taxonomy: Taxonomy, kept: IntArray) -> IntArray:
    """Place among the kept nodes of each node's nearest kept ancestor-or-self.

    Example:
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
        >>> remaining_place(t, np.array([0, 1, 2])).tolist()
        [0, 1, 2, 1, 0]
    """
    place = np.full(taxonomy.num_nodes, -1)
    place[kept] = np.arange(kept.size)
    for nodes in taxonomy.nodes_by_depth[1:]:
        gone = nodes[place[nodes] < 0]
        place[gone] = place[taxonomy.parents[gone]]
    return place
