"""The slow twin of the loss of composed orthogonal subspaces: one image and one node at a time, in NumPy."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from cladewise.taxonomy import Taxonomy


def path_below_root(node: int, taxonomy: Taxonomy) -> list[int]:
    """The nodes from below the root to the node, both included."""
    path: list[int] = []
    while node > 0:
        path.insert(0, node)
        node = int(taxonomy.parents[node])
    return path


def by_depth(taxonomy: Taxonomy) -> list[int]:
    """The node of each coordinate."""
    return sorted(range(1, taxonomy.num_nodes), key=lambda node: (len(path_below_root(node, taxonomy)), node))


def hier_cos(coordinates: NDArray[np.float64], target: int, taxonomy: Taxonomy, alpha: float) -> float:
    """Divergence and spread of one image, from dictionaries of nodes and with all vectors written out."""
    path = path_below_root(target, taxonomy)
    if not path:
        return 0.0
    size = {node: abs(float(x)) for node, x in zip(by_depth(taxonomy), coordinates, strict=True)}
    size = {n: x for n, x in size.items() if n == target or target not in path_below_root(n, taxonomy)}
    weights = [math.exp(1.0 / (len(path) - place)) for place in range(len(path))]
    length = math.sqrt(sum(w * w for w in weights))
    masses = [(w / length) ** 2 for w in weights]
    peak = max(size.values())
    total = peak + math.log(sum(math.exp(x - peak) for x in size.values()))
    value = sum(p * (math.log(p) - (size[n] - total)) for p, n in zip(masses, path, strict=True))
    for depth in range(1, taxonomy.max_depth + 1):
        here = {n: x for n, x in size.items() if len(path_below_root(n, taxonomy)) == depth}
        if depth > len(path):
            value += alpha * sum(here.values())
            continue
        norm = math.sqrt(sum(x * x for x in here.values()))
        value += alpha * sum(abs((n == path[depth - 1]) - x / norm) for n, x in here.items())
    return value


def subspace_norm(coordinates: NDArray[np.float64], node: int, taxonomy: Taxonomy) -> float:
    """Length of the projection to a node's subspace, by the matrix that projects to it."""
    order = by_depth(taxonomy)
    spanned = [
        n for n in order if n == node or n in path_below_root(node, taxonomy) or node in path_below_root(n, taxonomy)
    ]
    basis = np.array([np.eye(len(order))[order.index(n)] for n in spanned]).reshape(len(spanned), len(order))
    return float(np.linalg.norm(basis.T @ basis @ coordinates))
