"""Slow, obvious twins of novelty scores and of ProHOC, in double precision."""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

from cladewise.taxonomy import Taxonomy
from reference.trees import leaves_under, path, under

Array = NDArray[np.float64]


def children(taxonomy: Taxonomy, node: int) -> list[int]:
    """The children of a node."""
    return np.flatnonzero(taxonomy.parents == node).tolist()


def inner(taxonomy: Taxonomy) -> list[int]:
    """Nodes with children."""
    return [v for v in range(taxonomy.num_nodes) if children(taxonomy, v)]


def shares(logits: Array) -> Array:
    """A softmax."""
    powers = np.exp(logits - logits.max())
    return powers / powers.sum()


def surprise(logits: Array) -> float:
    """Negated logarithm of the largest share."""
    return float(-np.log(shares(logits).max()))


def entropy(logits: Array) -> float:
    """Entropy of the shares, in nats."""
    q = shares(logits)
    return float(-(q[q > 0] * np.log(q[q > 0])).sum())


def energy(logits: Array) -> float:
    """Negated log-sum-exp."""
    return float(-np.logaddexp.reduce(logits))


def over_leaves(taxonomy: Taxonomy, leaf_logits: Array, measure: object) -> Array:
    """A measure of the logits of the leaves under every inner node."""
    place = {v: k for k, v in enumerate(leaves_under(taxonomy, 0))}
    at = [[place[v] for v in leaves_under(taxonomy, node)] for node in inner(taxonomy)]
    return np.array([measure(leaf_logits[rows]) for rows in at])  # type: ignore[operator]


def over_children(taxonomy: Taxonomy, node_logits: Array, measure: object) -> Array:
    """A measure of the logits of the children of every inner node."""
    return np.array([measure(node_logits[children(taxonomy, v)]) for v in inner(taxonomy)])  # type: ignore[operator]


def prohoc(taxonomy: Taxonomy, by_level: dict[int, dict[int, float]], *, complement: bool, root: float) -> Array:
    """Mass that every node owns, for one image; ``by_level`` has the probability of each node of each level."""
    levels = sorted(by_level)
    own = np.zeros(taxonomy.num_nodes)
    reached = dict(by_level[levels[0]])
    for coarse, fine in itertools.pairwise(levels):
        now: dict[int, float] = {}
        for parent, so_far in reached.items():
            group = [v for v in by_level[fine] if int(taxonomy.at_level(coarse)[v]) == parent]
            p = np.array([by_level[fine][v] for v in group])
            if len(group) == 1:
                given, new = np.ones(1), 0.0
            elif complement:
                given, new = p, 1 - p.sum()
            else:
                q = p / p.sum()
                spread = float(-(q * np.log(q)).sum())
                given, new = p / (p.sum() + spread), spread / (p.sum() + spread)
            own[parent] += so_far * new
            now |= {v: so_far * g for v, g in zip(group, given, strict=True)}
        reached = now
    for v, p in reached.items():
        own[v] += p
    finest = np.array(list(by_level[levels[-1]].values()))
    weight = root * float(-(finest * np.log(finest)).sum())
    share = weight / (1 + weight)
    own *= 1 - share
    own[0] += share
    return own


def expected_path_lengths(taxonomy: Taxonomy, own: Array) -> Array:
    """Expected number of edges from every node to one drawn by what nodes own."""

    def edges(first: int, second: int) -> int:
        return len(set(path(taxonomy, first)) ^ set(path(taxonomy, second)))

    nodes = range(taxonomy.num_nodes)
    return np.array([sum(own[u] * edges(u, v) for u in nodes) for v in nodes])


def probability_under(taxonomy: Taxonomy, own: Array) -> Array:
    """At or under every node."""
    return np.array([own[under(taxonomy, v)].sum() for v in range(taxonomy.num_nodes)])
