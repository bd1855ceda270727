"""Measures of scores and answers on images of known and of new classes."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from cladewise.records import UnknownRule, UnknownScore
from cladewise.statistics import auroc, missed_at
from cladewise.taxonomy import Taxonomy

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]


def measure_score(
    score: str,
    known: FloatArray,
    new: FloatArray,
    leaf: IntArray,
    parent: IntArray,
    taxonomy: Taxonomy,
) -> UnknownScore:
    """Measures of a novelty score.

    Args:
        score: Its name.
        known: Score of every image of a known class at each ancestor of its leaf by depth, ``[image, depth]``, NaN
            below.
        new: Score of every image of a new class at the root and at the parent of its class, ``[image, 2]``.
        leaf: Leaf of every image of a known class.
        parent: Parent of the class of every image of a new class.
        taxonomy: The tree without the new classes.
    """
    at_root, depth = known[:, 0], taxonomy.depth[parent]
    by_depth = {str(d): auroc(at_root, new[depth == d, 0]) for d in range(taxonomy.max_depth)}
    found, weights = list[float](), list[int]()
    for node in np.unique(parent).tolist():
        below = taxonomy.contains(node, leaf)
        of_node = parent == node
        value = auroc(known[below, taxonomy.depth[node]], new[of_node, 1])
        if not math.isnan(value):
            found.append(value)
            weights.append(int(of_node.sum()))
    return UnknownScore(
        score=score,
        auroc=auroc(at_root, new[:, 0]),
        missed=missed_at(at_root, new[:, 0]),
        by_depth=by_depth,
        at_parent=float(np.average(found, weights=weights)) if found else math.nan,
    )


def measure_rule(
    rule: str,
    known: IntArray,
    new: IntArray,
    known_called_new: BoolArray,
    new_called_new: BoolArray,
    leaf: IntArray,
    parent: IntArray,
    taxonomy: Taxonomy,
) -> UnknownRule:
    """Measures of a rule.

    Args:
        rule: Its name.
        known: Answer for every image of a known class.
        new: Answer for every image of a new class.
        known_called_new: Whether each image of a known class is called new.
        new_called_new: Whether each image of a new class is called new.
        leaf: Leaf of every image of a known class.
        parent: Parent of the class of every image of a new class.
        taxonomy: The tree without the new classes.
    """
    right, placed = known == leaf, new == parent
    far, near = edges_between(known, leaf, taxonomy), edges_between(new, parent, taxonomy)
    return UnknownRule(
        rule=rule,
        known_right=float(right.mean()),
        known_called_new=float(known_called_new.mean()),
        new_found=float(new_called_new.mean()),
        placed=float(placed.mean()),
        known_balanced=_balanced(right, leaf),
        placed_balanced=_balanced(placed, parent),
        known_distance=float(far.mean()),
        new_distance=float(near.mean()),
        known_distance_balanced=_balanced(far, leaf),
        new_distance_balanced=_balanced(near, parent),
    )


def edges_between(first: IntArray, second: IntArray, taxonomy: Taxonomy) -> IntArray:
    """Number of edges of the path between two nodes of the tree.

    Example:
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
        >>> edges_between(np.array([2, 2, 1]), np.array([3, 4, 1]), t).tolist()
        [2, 3, 0]
    """
    depth = taxonomy.depth
    return depth[first] + depth[second] - 2 * depth[taxonomy.lca(first, second)]


def _balanced(values: NDArray[np.generic], classes: IntArray) -> float:
    """Mean over classes of the mean of their images."""
    _, place, counts = np.unique(classes, return_inverse=True, return_counts=True)
    return float((np.bincount(place.reshape(-1), weights=values.astype(np.float64)) / counts).mean())
