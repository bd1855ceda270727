"""Slow, obvious twins of the margin, descendant, level and soft-label losses for one image, from the formulas."""

from __future__ import annotations

import math

import numpy as np

from cladewise.taxonomy import Taxonomy
from reference import trees
from reference.losses import diluted, log_mass
from reference.trees import Array, logsumexp


def depth(taxonomy: Taxonomy, node: int) -> int:
    return len(trees.path(taxonomy, node)) - 1


def information(taxonomy: Taxonomy, node: int) -> float:
    return math.log(len(trees.leaves_under(taxonomy, 0)) / len(trees.leaves_under(taxonomy, node)))


def margin(taxonomy: Taxonomy, target: int, node: int, kind: str) -> float:
    shared = trees.lca(taxonomy, target, node)
    if kind == "incorrect":
        return 0.0 if node in trees.path(taxonomy, target) else 1.0
    if kind == "information-distance":
        return information(taxonomy, target) + information(taxonomy, node) - 2 * information(taxonomy, shared)
    of_target, of_node, of_shared = (depth(taxonomy, v) for v in (target, node, shared))
    if kind == "depth-distance":
        return of_target + of_node - 2 * of_shared
    if kind == "depth-deficit":
        return of_target - of_shared
    if node == target:
        return 0.0
    recall = of_shared / of_target if of_target else 1.0
    precision = of_shared / of_node if of_node else 1.0
    f1 = 2 / (1 / recall + 1 / precision) if recall and precision else 0.0
    return math.log(1 - f1)


def soft_max_margin(taxonomy: Taxonomy, logits: Array, target: int, tau: float, form: str, kind: str) -> float:
    rivals = [logits[v] + tau * margin(taxonomy, target, v, kind) for v in range(taxonomy.num_nodes)]
    if form == "soft":
        return logsumexp(np.array(rivals)) - float(logits[target])
    return max(0.0, max(rivals) - float(logits[target]))


def descendant_softmax(taxonomy: Taxonomy, logits: Array, target: int, form: str) -> float:
    """The complement by each ancestor's own list of rivals."""
    total = 0.0
    for ancestor in trees.path(taxonomy, target):
        rivals = list(range(taxonomy.num_nodes))
        if form == "complement":
            above_or_below = trees.path(taxonomy, ancestor) + trees.under(taxonomy, ancestor)
            rivals = [v for v in rivals if v not in above_or_below] + [ancestor]
        term = logsumexp(logits[rivals]) - logits[ancestor]
        total += term / len(trees.leaves_under(taxonomy, ancestor))
    return total


def representative(taxonomy: Taxonomy, node: int, level: int) -> int:
    """Deepest ancestor-or-self that is not finer than the level."""
    return [v for v in trees.path(taxonomy, node) if taxonomy.level[v] <= level][-1]


def level_softmax(taxonomy: Taxonomy, logits: Array, target: int, levels: list[int], tied: bool) -> float:
    leaves = trees.leaves_under(taxonomy, 0)
    members = [sorted({representative(taxonomy, v, level) for v in leaves}) for level in levels]
    distinct = sorted({v for nodes in members for v in nodes})
    total, begin = 0.0, 0
    for level, nodes in zip(levels, members, strict=True):
        scores = logits[[distinct.index(v) for v in nodes]] if tied else logits[begin : begin + len(nodes)]
        begin += len(nodes)
        if target in leaves or taxonomy.level[target] >= level:
            total += logsumexp(scores) - scores[nodes.index(representative(taxonomy, target, level))]
    return float(total)


def leaf_distances(taxonomy: Taxonomy, kind: str) -> Array:
    """Leaf × leaf, over the largest."""
    leaves = trees.leaves_under(taxonomy, 0)
    deepest = max(depth(taxonomy, v) for v in leaves)
    matrix = np.zeros((len(leaves), len(leaves)))
    for i, first in enumerate(leaves):
        for j, second in enumerate(leaves):
            if i != j:
                shared = trees.lca(taxonomy, first, second)
                matrix[i, j] = (
                    trees.height(taxonomy, shared) if kind == "lca-height" else 1 - depth(taxonomy, shared) / deepest
                )
    return matrix / (matrix.max() or 1.0)


def soft_target(taxonomy: Taxonomy, target: int, beta: float, distances: Array) -> Array:
    """Mean over the leaves under the target."""
    leaves = trees.leaves_under(taxonomy, 0)
    rows = [np.exp(-beta * distances[leaves.index(leaf)]) for leaf in trees.leaves_under(taxonomy, target)]
    return np.mean([row / row.sum() for row in rows], axis=0)


def soft_labels(
    taxonomy: Taxonomy, logits: Array, target: int, beta: float, distances: Array, reduction: str = "sum"
) -> float:
    wanted = soft_target(taxonomy, target, beta, distances)
    log_p = logits - logsumexp(logits)
    if reduction == "sum":
        return -float(wanted @ log_p)
    return float(np.mean([t * (math.log(t) - p) if t else 0.0 for t, p in zip(wanted, log_p, strict=True)]))


def hace_soft(
    taxonomy: Taxonomy, logits: Array, target: int, dilution: float, beta: float, distances: Array, domain: str
) -> float:
    """Each leaf's share, diluted by its own column."""
    with_root = domain != "nodes-without-root"
    shares = soft_target(taxonomy, target, beta, distances)
    leaves = trees.leaves_under(taxonomy, 0)
    columns = [diluted(taxonomy, leaf, dilution, with_root) for leaf in leaves]
    wanted = sum(share * column for share, column in zip(shares, columns, strict=True))
    log_q = log_mass(taxonomy, logits, domain)
    return -float(sum(w * q for w, q in zip(wanted, log_q, strict=True) if w))
