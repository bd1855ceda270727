"""The map from an old tree to a new one again, one node at a time, with sets."""

from __future__ import annotations

import math

from cladewise.taxonomy import Taxonomy
from cladewise.taxonomy.correspondence import Correspondence


def path_of(taxonomy: Taxonomy, node: int) -> list[int]:
    """The nodes from the root down to a node."""
    return list(taxonomy.path(node))


def common(taxonomy: Taxonomy, nodes: list[int]) -> int:
    """The deepest node that is on the path of each."""
    paths = [path_of(taxonomy, node) for node in nodes]
    return max(set.intersection(*map(set, paths)), key=lambda node: len(path_of(taxonomy, node)))


def counterparts(found: Correspondence, node: int) -> list[int]:
    """New nodes of an old node."""
    return [int(v) for u, v in found.pairs.tolist() if u == node]


def place_of(found: Correspondence, node: int) -> int:
    """Where what is known of an old node is in the new tree."""
    own = counterparts(found, node)
    if own:
        return common(found.new, own)
    went = where_children_went(found, node)
    if went:
        return common(found.new, went)
    return place_of(found, int(found.old.parents[node])) if node else 0


def where_children_went(found: Correspondence, node: int) -> list[int]:
    """New parents of the nearest descendants of a removed node that are left."""
    parents: list[int] = []
    for child in map(int, found.old.children(node)):
        if counterparts(found, child):
            parents.append(max(0, int(found.new.parents[place_of(found, child)])))
        elif where_children_went(found, child):
            parents.append(place_of(found, child))
    return parents


def carried_mass(found: Correspondence, own: list[float]) -> list[float]:
    """Probability at or under each new node, from the probability at each old node itself."""
    p = [0.0] * found.new.num_nodes
    for node, mass in enumerate(own):
        for above in path_of(found.new, place_of(found, node)):
            p[above] += mass
    return p


def carried_levels(found: Correspondence, before: list[float], *, monotone: bool) -> list[float]:
    """Probability at or under each new node, for predictions whose nodes have no mass of their own."""
    old, new = found.old, found.new
    places = [place_of(found, u) for u in range(old.num_nodes)]
    known = [len(counterparts(found, u)) == 1 for u in range(old.num_nodes)]
    value = [-math.inf] * new.num_nodes
    for v in range(new.num_nodes):
        sources = [u for u in range(old.num_nodes) if known[u] and places[u] == v]
        top = [u for u in sources if not set(path_of(old, u)[:-1]) & set(sources)]
        if top:
            value[v] = min(1.0, sum(before[u] for u in top))
        for u in range(old.num_nodes):
            if not known[u] and places[u] == v:
                value[v] = max(value[v], before[u])
    result: list[float] = []
    for v in range(new.num_nodes):
        below = max(value[w] for w in range(new.num_nodes) if v in path_of(new, w))
        result.append(max(0.0, below if monotone or value[v] == -math.inf else value[v]))
    return [1.0, *result[1:]]
