"""Conformal answers again, one image and one leaf at a time, and smallest covers by trying all sets of nodes."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

from cladewise.taxonomy import Taxonomy
from reference.optimal_twin import path


def leaves_under(taxonomy: Taxonomy, node: int) -> set[int]:
    """The leaves at or under a node."""
    return {int(leaf) for leaf in taxonomy.leaf_nodes if node in path(taxonomy, int(leaf))}


def scores(taxonomy: Taxonomy, p: Sequence[float], score: str) -> dict[int, float]:
    """Nonconformity of every leaf; ``p`` has the probabilities of all nodes."""
    leaves = [int(leaf) for leaf in taxonomy.leaf_nodes]
    if score == "lac":
        return {leaf: -math.log(p[leaf]) if p[leaf] else math.inf for leaf in leaves}
    order = sorted(leaves, key=lambda leaf: -p[leaf])
    return {leaf: math.fsum(p[j] for j in order[: order.index(leaf) + 1]) for leaf in leaves}


def taken_in(by_leaf: dict[int, float], bar: float) -> set[int]:
    """The leaves up to a score, and the best one in any case."""
    return {leaf for leaf, value in by_leaf.items() if value <= bar} | {min(by_leaf, key=lambda leaf: by_leaf[leaf])}


def common_ancestor(taxonomy: Taxonomy, leaves: set[int]) -> int:
    """The lowest node with all of the leaves at or under it."""
    first = next(iter(leaves))
    return next(v for v in path(taxonomy, first) if leaves <= leaves_under(taxonomy, v))


def covers(taxonomy: Taxonomy, nodes: Sequence[int], label: int) -> bool:
    """Whether a label lies at or under one of the nodes."""
    return any(v in path(taxonomy, label) for v in nodes)


def antichains(taxonomy: Taxonomy, most: int) -> list[tuple[int, ...]]:
    """All sets of at most so many nodes, none above another."""
    every = range(taxonomy.num_nodes)
    found = [nodes for size in range(1, most + 1) for nodes in itertools.combinations(every, size)]
    return [nodes for nodes in found if not any(v != u and v in path(taxonomy, u) for v in nodes for u in nodes)]


def least_cover(taxonomy: Taxonomy, leaves: set[int], most: int) -> int:
    """Number of leaves under the best cover of some leaves by at most so many nodes."""
    sizes: list[int] = []
    for nodes in antichains(taxonomy, most):
        under = set[int]().union(*(leaves_under(taxonomy, v) for v in nodes))
        if leaves <= under:
            sizes.append(len(under))
    return min(sizes)
