"""Slow, obvious twins of the tree operations: sets of nodes, Python loops, double precision."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cladewise.taxonomy import Taxonomy

Array = NDArray[np.float64]


def path(taxonomy: Taxonomy, node: int) -> list[int]:
    """Root to node."""
    return [] if node < 0 else [*path(taxonomy, int(taxonomy.parents[node])), node]


def under(taxonomy: Taxonomy, node: int) -> list[int]:
    """All nodes at or under a node."""
    inside = {node}
    for v in range(taxonomy.num_nodes):  # parents come first
        if int(taxonomy.parents[v]) in inside:
            inside.add(v)
    return sorted(inside)


def leaves_under(taxonomy: Taxonomy, node: int) -> list[int]:
    """All leaves at or under a node."""
    return [v for v in under(taxonomy, node) if not (taxonomy.parents == v).any()]


def lca(taxonomy: Taxonomy, first: int, second: int) -> int:
    """Lowest common ancestor."""
    return [v for v in path(taxonomy, first) if v in path(taxonomy, second)][-1]


def height(taxonomy: Taxonomy, node: int) -> int:
    """Edges to the deepest leaf below."""
    return max(len(path(taxonomy, v)) for v in under(taxonomy, node)) - len(path(taxonomy, node))


def logsumexp(values: Array) -> float:
    """Stable log-sum-exp of one list; -inf of nothing."""
    peak = values.max(initial=-np.inf)
    return float(peak) if not np.isfinite(peak) else float(peak + np.log(np.exp(values - peak).sum()))


def subtree_logsumexp(taxonomy: Taxonomy, values: Array) -> Array:
    """Log-sum-exp of one vector over the nodes, per subtree."""
    return np.array([logsumexp(values[under(taxonomy, v)]) for v in range(taxonomy.num_nodes)])


def leaf_logsumexp(taxonomy: Taxonomy, leaf_values: Array) -> Array:
    """Log-sum-exp of one vector over the leaves, per subtree."""
    values = np.full(taxonomy.num_nodes, -np.inf)
    values[leaves_under(taxonomy, 0)] = leaf_values
    return subtree_logsumexp(taxonomy, values)
