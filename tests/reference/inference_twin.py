"""Slow, obvious twins of the inference rules, in double precision: dense matrices, one image and one node at a time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cladewise.taxonomy import Taxonomy
from reference import trees
from reference.decisions_twin import level_probabilities
from reference.trees import Array


def adjacency(taxonomy: Taxonomy, weights: Sequence[float] | None = None) -> Array:
    """The normalised adjacency matrix of the tree."""
    count = taxonomy.num_nodes
    matrix = np.zeros((count, count))
    for v in range(1, count):
        parent = int(taxonomy.parents[v])
        matrix[v, parent] = matrix[parent, v] = 1.0 if weights is None else weights[v - 1]
    degree = matrix.sum(0)
    scale = np.array([1 / np.sqrt(d) if d else 0.0 for d in degree])
    return scale[:, None] * matrix * scale[None, :]


def diffused(
    taxonomy: Taxonomy, values: Array, alpha: float, steps: int = 0, weights: Sequence[float] | None = None
) -> Array:
    """Diffusion of one vector over the nodes."""
    matrix = adjacency(taxonomy, weights)
    if not steps:
        return np.linalg.solve(np.eye(len(matrix)) - alpha * matrix, (1 - alpha) * values)
    now = values
    for _ in range(steps):
        now = alpha * matrix @ now + (1 - alpha) * values
    return now


def group(taxonomy: Taxonomy, node: int) -> int:
    """The level whose scores a node's is compared with."""
    return taxonomy.num_levels if not (taxonomy.parents == node).any() else int(taxonomy.level[node])


def prepared(taxonomy: Taxonomy, scores: dict[int, float], *, shifted: bool, top: int = 0) -> Array:
    """The diffused scores of one image: by node, truncated by level, shifted if asked for; all others 0."""
    values = np.zeros(taxonomy.num_nodes)
    for level in range(1, taxonomy.num_levels + 1):
        mine = [v for v in scores if v != 0 and group(taxonomy, v) == level]
        lowest = min((scores[v] for v in mine), default=0.0) if shifted else 0.0
        for v in sorted(mine, key=lambda v: -scores[v])[: top or None]:
            values[v] = scores[v] - lowest
    return values


def log_softmax(values: Array) -> Array:
    return values - trees.logsumexp(values)


def top_down(taxonomy: Taxonomy, scores: Sequence[float]) -> Array:
    """log p of every node: a softmax among the children of each, multiplied down the path."""
    log_p = np.zeros(taxonomy.num_nodes)
    for v in range(1, taxonomy.num_nodes):
        siblings = [u for u in range(1, taxonomy.num_nodes) if taxonomy.parents[u] == taxonomy.parents[v]]
        among = trees.logsumexp(np.array([scores[u] for u in siblings]))
        log_p[v] = log_p[taxonomy.parents[v]] + scores[v] - among
    return log_p


def level_top_down(
    taxonomy: Taxonomy, by_level: list[dict[int, float]], levels: Sequence[int]
) -> list[dict[int, float]]:
    """log q by node of each level, from log p by node of each level."""
    done: list[dict[int, float]] = []
    for place, log_p in enumerate(by_level):
        above = taxonomy.at_level(levels[place - 1]) if place else None
        joint = {v: lp + (done[-1][int(above[v])] if above is not None else 0.0) for v, lp in log_p.items()}
        total = trees.logsumexp(np.array(list(joint.values())))
        done.append({v: x - total for v, x in joint.items()})
    return done


def subset(taxonomy: Taxonomy, leaf_log_p: dict[int, float], allowed: Sequence[int]) -> Array:
    """p of every node when only the leaves under the allowed nodes can be."""
    open_leaves = {leaf for v in allowed for leaf in trees.leaves_under(taxonomy, v)}
    mass = {leaf: np.exp(lp) if leaf in open_leaves else 0.0 for leaf, lp in leaf_log_p.items()}
    total = sum(mass.values())
    return np.array(
        [sum(mass[leaf] for leaf in trees.leaves_under(taxonomy, v)) / total for v in range(taxonomy.num_nodes)]
    )


def matrix_loss(
    taxonomy: Taxonomy, leaf_scores: Array, target: int, restraint: Sequence[float], weights: Sequence[float]
) -> float:
    """Weighted cross-entropy at every level and the restraint on wrong classes, for one image."""
    of_node = np.exp(trees.leaf_logsumexp(taxonomy, log_softmax(leaf_scores))).tolist()
    total = 0.0
    target_is_leaf = not (taxonomy.parents == target).any()
    for level in range(1, taxonomy.num_levels + 1):
        if taxonomy.level[target] < level and not target_is_leaf:
            continue
        right, p = int(taxonomy.at_level(level)[target]), level_probabilities(taxonomy, of_node, level)
        total -= weights[level - 1] * np.log(p[right])
        wrong = [x for v, x in p.items() if v != right]
        total += restraint[level - 1] * -np.log(1 - min(max(wrong, default=0.0), 1 - 1e-6))
    return float(total)
