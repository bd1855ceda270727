"""Agreement of two trees over the same classes: triplets, and groups level by level."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from cladewise.errors import InputError
from cladewise.statistics.clusterings import Agreement, agreement
from cladewise.taxonomy import Taxonomy

IntArray = NDArray[np.int64]

MOST_TRIPLETS = 500_000
"""Largest number of triples that are compared; of more, as many random ones."""


@dataclasses.dataclass(frozen=True)
class LevelAgreement:
    """Agreement of the groups of one level of a tree with those of the best level of another.

    Args:
        level: Name of the level of the second tree.
        num_groups: Number of its groups.
        other: Name of the level of the first tree whose groups have the largest adjusted Rand index with them.
        num_other: Number of groups there.
        agreement: Agreement of the two.
    """

    level: str
    num_groups: int
    other: str
    num_other: int
    agreement: Agreement


@dataclasses.dataclass(frozen=True)
class TreeAgreement:
    """Agreement of two trees.

    Args:
        triplets: Share of the triples of classes that the second tree resolves on which the first has the same closest
            pair; a triple that it leaves open counts one third, so that the expectation for random trees is one third.
        resolved: Share of these triples that the first tree resolves at all.
        num_triplets: Number of triples compared.
        levels: Agreement at each level of the second tree that has groups.
    """

    triplets: float
    resolved: float
    num_triplets: int
    levels: tuple[LevelAgreement, ...]


def tree_agreement(
    first: Taxonomy, second: Taxonomy, nodes_first: IntArray, nodes_second: IntArray, *, seed: int = 0
) -> TreeAgreement:
    """Agreement of two trees over the same classes.

    Args:
        first: A tree.
        second: The tree to compare it with.
        nodes_first: Node of each class in the first tree.
        nodes_second: Node of each class in the second tree.
        seed: Seed of the triples, if there are more than half a million.

    Raises:
        InputError: The numbers of classes differ.
        MissingExtraError: scikit-learn is not installed.

    Example:
        >>> a = Taxonomy.from_paths([("x", "p"), ("x", "q"), ("y", "r"), ("y", "s")])
        >>> b = Taxonomy.from_paths([("x", "p"), ("x", "q"), ("r",), ("s",)])
        >>> found = tree_agreement(b, a, b.find(list("pqrs")), a.find(list("pqrs")))
        >>> round(found.triplets, 3), found.resolved, found.num_triplets, found.levels[0].num_other
        (0.667, 0.5, 4, 3)

    References: Critchlow, Pearl and Qian, The triples distance for rooted bifurcating phylogenetic trees, 1996.
    """
    if nodes_first.shape != nodes_second.shape:
        raise InputError("a node in both trees for every class", f"{nodes_first.size} and {nodes_second.size}")
    triples = _triples(nodes_first.size, seed)
    closest_first, closest_second = _closest(first, nodes_first, triples), _closest(second, nodes_second, triples)
    wanted = closest_second >= 0
    there, same = closest_first[wanted] >= 0, closest_first[wanted] == closest_second[wanted]
    num = int(wanted.sum())
    return TreeAgreement(
        float((same + (~there) / 3).mean()) if num else np.nan,
        float(there.mean()) if num else np.nan,
        num,
        tuple(_levels(first, second, nodes_first, nodes_second)),
    )


def _triples(size: int, seed: int) -> IntArray:
    """All triples of different numbers below ``size``, or random ones, ``[triple, 3]``."""
    if size < 3:
        return np.zeros((0, 3), dtype=np.int64)
    if size * (size - 1) * (size - 2) // 6 <= MOST_TRIPLETS:
        i, j = np.triu_indices(size, 1)
        first = np.repeat(i, size - 1 - j)
        second = np.repeat(j, size - 1 - j)
        starts = np.cumsum(size - 1 - j) - (size - 1 - j)
        third = np.arange(first.size) - np.repeat(starts, size - 1 - j) + second + 1
        return np.stack([first, second, third], axis=1)
    drawn = np.random.default_rng(seed).integers(size, size=(MOST_TRIPLETS, 3))
    return drawn[(drawn[:, 0] != drawn[:, 1]) & (drawn[:, 0] != drawn[:, 2]) & (drawn[:, 1] != drawn[:, 2])]


def _closest(tree: Taxonomy, nodes: IntArray, triples: IntArray) -> IntArray:
    """The pair of each triple whose lowest common ancestor is deeper than that of the others: 0, 1, 2; or -1."""
    a, b, c = nodes[triples].T
    depth = np.stack([tree.depth[tree.lca(x, y)] for x, y in ((a, b), (a, c), (b, c))])
    best = depth.argmax(0)
    return np.where((depth == depth.max(0)).sum(0) == 1, best, -1)


def _levels(first: Taxonomy, second: Taxonomy, nodes_first: IntArray, nodes_second: IntArray) -> list[LevelAgreement]:
    groups = [(k, first.at_level(k)[nodes_first]) for k in range(1, first.num_levels + 1)]
    found: list[LevelAgreement] = []
    for level in range(1, second.num_levels + 1):
        wanted = second.at_level(level)[nodes_second]
        num = np.unique(wanted).size
        if num in (1, wanted.size):
            continue
        best = [(agreement(own, wanted), k, np.unique(own).size) for k, own in groups]
        chosen, k, num_other = max(best, key=lambda one: one[0].adjusted_rand)
        found.append(LevelAgreement(second.level_names[level - 1], num, first.level_names[k - 1], num_other, chosen))
    return found
