"""Slow, obvious twins of the tree surgeries: paths as lists, groups as sets."""

from __future__ import annotations

from collections import Counter

from cladewise.taxonomy import Taxonomy
from cladewise.taxonomy.alteration import Alteration
from reference.trees import leaves_under, path


def paths_without(taxonomy: Taxonomy, levels: set[int]) -> set[tuple[int, ...]]:
    """The path of every node that stays, as nodes of the true tree, without those of its nodes that go."""
    stays = [v == 0 or bool(taxonomy.is_leaf[v]) or int(taxonomy.level[v]) not in levels for v in taxonomy]
    return {tuple(u for u in path(taxonomy, v) if stays[u]) for v in taxonomy if stays[v]}


def paths_in(change: Alteration) -> set[tuple[int, ...]]:
    """The path of every node of the altered tree, as nodes of the true one."""
    return {tuple(int(change.origin[u]) for u in path(change.own, v)) for v in change.own}


def own_node(change: Alteration, node: int) -> int:
    """The altered tree's node of a true one."""
    there = {int(u): v for v, u in enumerate(change.origin)}
    return next(there[u] for u in reversed(path(change.true, node)) if u in there)


def members(taxonomy: Taxonomy, node: int, origin: list[int]) -> set[int]:
    """The true leaves under a node."""
    return {origin[v] for v in leaves_under(taxonomy, node)}


def keeps_groups(change: Alteration) -> bool:
    """Whether every node has the leaves that it has in the true tree."""
    origin = change.origin.tolist()
    return all(
        members(change.own, v, origin) == members(change.true, origin[v], list(range(change.true.num_nodes)))
        for v in change.own
    )


def group_sizes(taxonomy: Taxonomy) -> Counter[tuple[int, int]]:
    """Level and number of children of every internal node."""
    return Counter((int(taxonomy.level[v]), int(taxonomy.num_children[v])) for v in taxonomy if not taxonomy.is_leaf[v])


def with_another_parent(change: Alteration) -> list[int]:
    """True leaves whose parent in the altered tree is not the one that they have."""
    origin = change.origin
    return [
        int(origin[v])
        for v in change.own.leaf_nodes.tolist()
        if change.own.parents[v] >= 0 and origin[change.own.parents[v]] != change.true.parents[origin[v]]
    ]
