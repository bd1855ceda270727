"""Slow, obvious twins of operations over siblings, for one image, in double precision."""

from __future__ import annotations

import numpy as np

from cladewise.taxonomy import Taxonomy
from reference import trees
from reference.trees import Array


def sibling_log_softmax(taxonomy: Taxonomy, scores: Array) -> Array:
    """Log-softmax over siblings of the scores of all nodes but the root."""
    out = np.empty(taxonomy.num_nodes - 1)
    for node in range(1, taxonomy.num_nodes):
        siblings = np.flatnonzero(taxonomy.parents == taxonomy.parents[node])
        own = scores[node - 1]
        out[node - 1] = own if own == -np.inf else own - trees.logsumexp(scores[siblings - 1])
    return out


def path_sibling_nll(taxonomy: Taxonomy, scores: Array, target: int) -> Array:
    """Nats of each edge, the root's child first; 0 below the target."""
    steps = sibling_log_softmax(taxonomy, scores)
    path = trees.path(taxonomy, target)[1:]
    return np.array([-steps[node - 1] for node in path] + [0.0] * (taxonomy.max_depth - len(path)))


def subtree_max(taxonomy: Taxonomy, values: Array) -> Array:
    """Maximum of one vector over the nodes, per subtree."""
    return np.array([values[trees.under(taxonomy, v)].max() for v in range(taxonomy.num_nodes)])
