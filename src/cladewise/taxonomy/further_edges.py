"""Edges to further parents, which make a directed acyclic graph of a tree."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from cladewise.errors import InputError
from cladewise.taxonomy.arrays import IntArray

COLUMN = "further_parents"
"""Column of node tables and key of JSON nodes with the ids of a node's further parents."""


def further_edges(parents: IntArray, edges: ArrayLike | None, path_name: Callable[[int], str]) -> IntArray:
    """Pairs (node, further parent), sorted, without repetitions and without the parent in the tree.

    Args:
        parents: Parent of every node in the tree.
        edges: Pairs of shape ``[edge, 2]``.
        path_name: Function from a node to its path, for messages.

    Raises:
        InputError: An edge names no node, or the edges and the tree together have a cycle.

    Example:
        >>> parents = np.array([-1, 0, 1, 0])
        >>> further_edges(parents, [(2, 3), (2, 1)], str).tolist()
        [[2, 3]]
    """
    given = np.asarray([] if edges is None else edges, dtype=np.int64)
    if given.size == 0:
        return np.zeros((0, 2), dtype=np.int64)
    if given.ndim != 2 or given.shape[1] != 2 or given.min() < 0 or given.max() >= parents.size:
        raise InputError(f"pairs of nodes, 0 to {parents.size - 1}, of shape [edge, 2]", f"{given!r:.80}")
    kept = np.unique(given[parents[given[:, 0]] != given[:, 1]], axis=0)
    wrong = edge_on_cycle(parents, kept)
    if wrong is not None:
        node, above = wrong
        raise InputError(
            "further parents that are not descendants of their node",
            f"{path_name(above) or 'the root'!r} above {path_name(node) or 'the root'!r}, which makes a cycle",
        )
    return kept


def edge_on_cycle(parents: IntArray, edges: IntArray) -> tuple[int, int] | None:
    """An edge on a cycle of a tree, or of several, with further edges; None if there is no cycle.

    Such an edge has both its ends in the same strongly connected component.

    Example:
        >>> parents = np.array([-1, 0, 1])
        >>> edge_on_cycle(parents, np.array([[1, 2]])), edge_on_cycle(parents, np.array([[2, 0]]))
        ((1, 2), None)
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    below = np.flatnonzero(parents >= 0)
    child, parent = np.concatenate([below, edges[:, 0]]), np.concatenate([parents[below], edges[:, 1]])
    graph = coo_array((np.ones(child.size, dtype=np.int8), (child, parent)), shape=(parents.size, parents.size))
    _, component = connected_components(graph.tocsr(), connection="strong")
    same = np.flatnonzero(component[edges[:, 0]] == component[edges[:, 1]])
    return (int(edges[same[0], 0]), int(edges[same[0], 1])) if same.size else None
