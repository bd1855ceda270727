"""Slow, obvious twins of the losses with a term a level or a node, for one image, straight from the formulas."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cladewise.taxonomy import Taxonomy
from reference import losses, trees
from reference.curves_twin import levels, representative, speaks
from reference.trees import Array


def marginal_softmax(taxonomy: Taxonomy, logits: Array, target: int) -> float:
    """A flat softmax's loss at what represents the target at each level that it speaks of."""
    spoken = [k for k in levels(taxonomy) if speaks(taxonomy, target, k)]
    return sum(losses.flat_softmax(taxonomy, logits, representative(taxonomy, target, k)) for k in spoken)


def soft_margin(taxonomy: Taxonomy, logits: Array, target: int, weights: Sequence[float] | None = None) -> float:
    """Binary cross-entropy of every node of which something is known, over the number of nodes below the root."""
    path = trees.path(taxonomy, target)
    total = 0.0
    for node in range(1, taxonomy.num_nodes):
        score = logits[node - 1] if node in path else -logits[node - 1]
        known = node in path or target not in trees.path(taxonomy, node)
        total += known * float(np.logaddexp(0.0, -score)) * (1.0 if weights is None else weights[node - 1])
    return total / max(1, taxonomy.num_nodes - 1)


def inverse_frequency(taxonomy: Taxonomy, labels: Sequence[int]) -> list[float]:
    """One over the images that have a label, over the mean of that."""
    num_images = [sum(v in trees.path(taxonomy, label) for label in labels) for v in range(1, taxonomy.num_nodes)]
    weights = [1 / max(1, n) for n in num_images]
    return [w / float(np.mean(weights)) for w in weights]


def tree_path(
    taxonomy: Taxonomy,
    logits: Array,
    target: int,
    level_weight: float = 1.0,
    path_weight: float = 1.0,
    smoothing: float = 0.0,
) -> float:
    """Cross-entropies against smoothed targets, and the divergence of the path from a softmax of all levels at once."""
    whole = [sorted({representative(taxonomy, int(leaf), k) for leaf in taxonomy.leaf_nodes}) for k in levels(taxonomy)]
    rows = np.split(np.asarray(logits, dtype=np.float64), np.cumsum([len(nodes) for nodes in whole])[:-1])
    spoken = [k for k in levels(taxonomy) if speaks(taxonomy, target, k)]
    if not spoken:
        return 0.0
    total, wanted, scored = 0.0, [], []
    for k in spoken:
        nodes, row, own = whole[k - 1], rows[k - 1], representative(taxonomy, target, k)
        above = [representative(taxonomy, node, k - 1) if k > 1 else 0 for node in nodes]
        place = nodes.index(own)
        siblings = [i for i in range(len(nodes)) if above[i] == above[place] and i != place]
        soft = np.zeros(len(nodes))
        soft[place] = 1.0
        if siblings:
            soft[place] = 1.0 - smoothing
            soft[siblings] = smoothing / len(siblings)
        total += level_weight * float(-(soft * (row - np.logaddexp.reduce(row))).sum())
        wanted.append(np.arange(len(nodes)) == place)
        scored.append(row)
    path = np.concatenate(wanted) / len(spoken)
    log_p = np.concatenate(scored) - np.logaddexp.reduce(np.concatenate(scored))
    here = path > 0
    return total + path_weight * float((path[here] * (np.log(path[here]) - log_p[here])).sum())
