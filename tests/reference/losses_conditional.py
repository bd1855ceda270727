"""Slow, obvious twins of the losses over node scores for one image, in double precision, straight from the formulas.

``logits[i]`` is the score of node ``i + 1``.
"""

from __future__ import annotations

import numpy as np

from cladewise.taxonomy import Taxonomy
from reference import losses, trees
from reference.trees import Array


def children(taxonomy: Taxonomy, node: int) -> list[int]:
    return [v for v in range(taxonomy.num_nodes) if int(taxonomy.parents[v]) == node]


def sigmoid(x: float) -> float:
    return float(1 / (1 + np.exp(-x)))


def log_conditional(taxonomy: Taxonomy, logits: Array, node: int) -> float:
    """log p(node | its parent) under a softmax among siblings."""
    siblings = children(taxonomy, int(taxonomy.parents[node]))
    return float(logits[node - 1]) - trees.logsumexp(np.array([logits[s - 1] for s in siblings]))


def conditional_softmax(
    taxonomy: Taxonomy, logits: Array, target: int, node_weights: str = "none", label_smoothing: float = 0.0
) -> float:
    """Cross-entropy with a target over the leaves, an edge at a time."""
    num_choices = sum(len(children(taxonomy, v)) > 1 for v in range(taxonomy.num_nodes))
    leaves = trees.leaves_under(taxonomy, 0)
    on_path = np.isin(np.arange(taxonomy.num_nodes), trees.path(taxonomy, target)).astype(float)
    even = np.array([len(trees.leaves_under(taxonomy, v)) / len(leaves) for v in range(taxonomy.num_nodes)])
    smoothing = label_smoothing if target in leaves else 0.0
    wanted = (1 - smoothing) * on_path + smoothing * even
    total = 0.0
    for node in range(1, taxonomy.num_nodes):
        under_parent = len(trees.leaves_under(taxonomy, int(taxonomy.parents[node])))
        weight = len(leaves) / (max(1, num_choices) * under_parent) if node_weights == "parent" else 1.0
        total -= wanted[node] * weight * log_conditional(taxonomy, logits, node)
    return total


def tree_hxe(taxonomy: Taxonomy, logits: Array, target: int, alpha: float, weighting: str) -> float:
    """Sum over the edges of the target's path."""
    depths = [len(trees.path(taxonomy, v)) - 1 for v in range(taxonomy.num_nodes)]
    total = 0.0
    for node in trees.path(taxonomy, target)[1:]:
        discount = np.exp(-alpha * (depths[node] - (weighting == "parent-depth")))
        total -= discount * log_conditional(taxonomy, logits, node)
    return total / sum(np.exp(-alpha * d) for d in depths) if weighting == "normalised" else total


def conditional_sigmoid(taxonomy: Taxonomy, logits: Array, target: int) -> float:
    """Binary cross-entropy of the children of every node above the target."""
    path = trees.path(taxonomy, target)
    total = 0.0
    for above in path[:-1]:
        for node in children(taxonomy, above):
            total -= np.log(sigmoid(logits[node - 1] if node in path else -logits[node - 1]))
    return float(total)


def multilabel_focal(
    taxonomy: Taxonomy, logits: Array, target: int, alpha: float, gamma: float, below: str = "negative"
) -> float:
    """Sum over all nodes but the root."""
    path = trees.path(taxonomy, target)
    total = 0.0
    for node in range(1, taxonomy.num_nodes):
        right = sigmoid(logits[node - 1] if node in path else -logits[node - 1])
        weight = alpha if node in path else 1 - alpha
        if below == "ignored" and node not in path and node in trees.under(taxonomy, target):
            weight = 0.0
        total -= weight * (1 - right) ** gamma * np.log(right)
    return float(total)


def path_scores(taxonomy: Taxonomy, logits: Array) -> Array:
    """Sum of the scores on the path to every node."""
    full = np.concatenate([[0.0], logits])
    return np.array([full[trees.path(taxonomy, v)].sum() for v in range(taxonomy.num_nodes)])


def ps_softmax(taxonomy: Taxonomy, logits: Array, target: int, label_smoothing: float = 0.0) -> float:
    """Flat softmax over the leaves' path scores."""
    leaf_scores = path_scores(taxonomy, logits)[trees.leaves_under(taxonomy, 0)]
    return losses.flat_softmax(taxonomy, leaf_scores, target, label_smoothing)


def random_cut(taxonomy: Taxonomy, logits: Array, target: int, dropped: list[int]) -> float:
    """Softmax over what is left as leaves if the dropped nodes lose what is below them."""

    def leaves_left(node: int) -> list[int]:
        below = children(taxonomy, node)
        return [node] if node in dropped or not below else [leaf for child in below for leaf in leaves_left(child)]

    scores = path_scores(taxonomy, logits)
    cut = leaves_left(0)
    path, under = trees.path(taxonomy, target), trees.under(taxonomy, target)
    right = [v for v in cut if v in path] or [v for v in cut if v in under]
    return trees.logsumexp(scores[cut]) - trees.logsumexp(scores[right])


def consistency(taxonomy: Taxonomy, logits: Array, target: int) -> float:
    """Mean cross-entropy of the choices on the path."""
    edges = [-log_conditional(taxonomy, logits, node) for node in trees.path(taxonomy, target)[1:]]
    return float(np.mean(edges)) if edges else 0.0
