"""Slow, obvious twins of the losses for one image, in double precision, straight from the formulas."""

from __future__ import annotations

import numpy as np

from cladewise.taxonomy import Taxonomy
from reference import trees
from reference.trees import Array


def log_mass(taxonomy: Taxonomy, logits: Array, domain: str) -> Array:
    """log q of every node."""
    values = np.full(taxonomy.num_nodes, -np.inf)
    scored = {
        "leaves": trees.leaves_under(taxonomy, 0),
        "nodes": list(range(taxonomy.num_nodes)),
        "nodes-without-root": list(range(1, taxonomy.num_nodes)),
    }[domain]
    values[scored] = logits
    mass = trees.subtree_logsumexp(taxonomy, values)
    return mass - mass[0]


def flat_softmax(taxonomy: Taxonomy, logits: Array, target: int, label_smoothing: float = 0.0) -> float:
    """-log p(target), smoothed if the target is a leaf."""
    log_p = log_mass(taxonomy, logits, "leaves")
    leaves = trees.leaves_under(taxonomy, 0)
    if target not in leaves:
        return -log_p[target]
    return -(1 - label_smoothing) * log_p[target] - label_smoothing * float(np.mean(log_p[leaves]))


def hxe(taxonomy: Taxonomy, logits: Array, target: int, alpha: float, weighting: str) -> float:
    """Sum over the edges of the target's path."""
    log_p = log_mass(taxonomy, logits, "leaves")
    depths = [len(trees.path(taxonomy, v)) - 1 for v in range(taxonomy.num_nodes)]
    total = 0.0
    for node in trees.path(taxonomy, target)[1:]:
        step = log_p[taxonomy.parents[node]] - log_p[node]
        total += np.exp(-alpha * (depths[node] - (weighting == "parent-depth"))) * step
    return total / sum(np.exp(-alpha * d) for d in depths) if weighting == "normalised" else total


def diluted(taxonomy: Taxonomy, label: int, dilution: float, with_root: bool) -> Array:
    """Column of the dilution table for one label."""
    column = np.zeros(taxonomy.num_nodes)
    path = trees.path(taxonomy, label)
    path = path if with_root else path[1:]
    for steps, node in enumerate(reversed(path)):
        top = steps == len(path) - 1
        column[node] = (1 - dilution) ** steps * (1.0 if top else dilution)
    return column


def hace(
    taxonomy: Taxonomy,
    logits: Array,
    target: int,
    *,
    dilution: float,
    smoothing: float = 0.0,
    smoothing_over: str = "leaves",
    domain: str = "nodes",
    with_root: bool = True,
    eps: float = 0.0,
) -> float:
    """Cross-entropy of the smoothed, then diluted target."""
    if smoothing_over == "leaves":
        receivers = trees.leaves_under(taxonomy, 0)
    else:
        receivers = list(range(0 if with_root else 1, taxonomy.num_nodes))
    if len(receivers) == 1:
        smoothing = 0.0
    share = smoothing / max(1, len(receivers) - 1)
    labels = np.zeros(taxonomy.num_nodes)
    labels[receivers] = share
    labels[target] += 1 - smoothing - share
    wanted = sum(labels[v] * diluted(taxonomy, v, dilution, with_root) for v in range(taxonomy.num_nodes))
    scored = "leaves" if domain == "leaves" else "nodes" if with_root else "nodes-without-root"
    log_q = log_mass(taxonomy, logits, scored)
    return -float(sum(w * np.log(np.exp(q) + eps) if eps else w * q for w, q in zip(wanted, log_q, strict=True) if w))
