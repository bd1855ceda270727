"""Node probabilities of every head again, one image and one node at a time."""

from __future__ import annotations

import math
from collections.abc import Sequence

from cladewise.taxonomy import Taxonomy


def path_of(taxonomy: Taxonomy, node: int) -> list[int]:
    """The node and its ancestors below the root, from the node up."""
    path: list[int] = []
    while node > 0:
        path.append(node)
        node = int(taxonomy.parents[node])
    return path


def softmax(values: Sequence[float]) -> list[float]:
    peak = max(values)
    mass = [math.exp(v - peak) for v in values]
    return [m / sum(mass) for m in mass]


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))


def sibling_softmax(taxonomy: Taxonomy, theta: Sequence[float]) -> list[float]:
    """``theta[v]`` for every node; the root's is ignored."""
    p = [1.0] * taxonomy.num_nodes
    for v in range(taxonomy.num_nodes):
        children = [int(c) for c in taxonomy.children(v)]
        for child, share in zip(children, softmax([theta[c] for c in children]) if children else [], strict=True):
            p[child] = p[v] * share
    return p


def conditional_sigmoid(taxonomy: Taxonomy, theta: Sequence[float]) -> list[float]:
    return [math.prod(sigmoid(theta[a]) for a in path_of(taxonomy, v)) for v in range(taxonomy.num_nodes)]


def node_sigmoid(taxonomy: Taxonomy, theta: Sequence[float]) -> list[float]:
    return [1.0] + [sigmoid(x) for x in theta[1:]]


def path_sum_softmax(taxonomy: Taxonomy, theta: Sequence[float]) -> list[float]:
    leaves = [int(v) for v in taxonomy.leaf_nodes]
    share = softmax([sum(theta[a] for a in path_of(taxonomy, v)) for v in leaves])
    p = [0.0] * taxonomy.num_nodes
    for leaf, mass in zip(leaves, share, strict=True):
        for a in [0, *path_of(taxonomy, leaf)]:
            p[a] += mass
    return p


def path_sum_sigmoid(taxonomy: Taxonomy, theta: Sequence[float]) -> list[float]:
    below = [sigmoid(sum(theta[a] for a in path_of(taxonomy, v)) / 10) for v in range(1, taxonomy.num_nodes)]
    return [1.0, *below]


def level_softmax(taxonomy: Taxonomy, by_level: dict[int, dict[int, float]]) -> list[float]:
    """``by_level[k][v]`` is the score of node ``v`` in the extended level ``k``; the finest level is among them."""
    p: dict[int, float] = {}
    for level in sorted(by_level):
        nodes = sorted(by_level[level])
        for v, share in zip(nodes, softmax([by_level[level][n] for n in nodes]), strict=True):
            p.setdefault(v, share)
    finest = max(by_level)
    nodes = sorted(by_level[finest])
    leaf = dict(zip(nodes, softmax([by_level[finest][n] for n in nodes]), strict=True))
    for v in range(taxonomy.num_nodes):
        if v not in p:
            p[v] = sum(leaf[int(u)] for u in taxonomy.leaf_nodes if v <= u < taxonomy.end[v])
    p[0] = 1.0
    return [max(p[u] for u in range(v, int(taxonomy.end[v]))) for v in range(taxonomy.num_nodes)]
