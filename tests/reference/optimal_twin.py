"""Expected metrics again, one pair of an answer and a leaf at a time, and best sets by trying all subsets."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

from cladewise.taxonomy import Taxonomy


def path(taxonomy: Taxonomy, node: int) -> list[int]:
    """The node and its ancestors, the root last."""
    found = [node]
    while taxonomy.parents[found[-1]] >= 0:
        found.append(int(taxonomy.parents[found[-1]]))
    return found


def value(taxonomy: Taxonomy, metric: str, answer: int, leaf: int, beta: float = 1.0) -> float:
    """The metric of one answer if one leaf is true; costs are negative."""
    above_answer, above_leaf = path(taxonomy, answer), path(taxonomy, leaf)
    meeting = next(v for v in above_answer if v in above_leaf)
    if metric == "lca-height":
        return -float(taxonomy.height[meeting])
    if metric == "path-length":
        return -float(above_answer.index(meeting) + above_leaf.index(meeting))
    if metric == "cpb":
        under = int(taxonomy.num_leaves_under[answer])
        return float(answer in above_leaf) * (1 - (under / taxonomy.num_leaves if under > 1 else 0))
    if metric == "info-f1":
        shared, said, wanted = (float(taxonomy.information[v]) for v in (meeting, answer, leaf))
    else:
        counts = 0 if metric == "hf" else 1
        shared, said, wanted = (len(path(taxonomy, v)) - counts for v in (meeting, answer, leaf))
    if metric == "zhao":
        return shared / max(said, wanted) if max(said, wanted) else 1.0
    return (1 + beta**2) * shared / (beta**2 * wanted + said) if wanted or said else 1.0


def expected(taxonomy: Taxonomy, metric: str, p: Sequence[float], answer: int, beta: float = 1.0) -> float:
    """Expected metric of one answer; ``p`` has the probabilities of all nodes."""
    return math.fsum(p[leaf] * value(taxonomy, metric, answer, int(leaf), beta) for leaf in taxonomy.leaf_nodes)


def expected_of_set(taxonomy: Taxonomy, p: Sequence[float], nodes: Sequence[int], beta: float) -> float:
    """Expected hierarchical F-score of a set of nodes."""
    total = 0.0
    for leaf in map(int, taxonomy.leaf_nodes):
        above = path(taxonomy, leaf)
        total += p[leaf] * (1 + beta**2) * len({*nodes} & {*above}) / (len(nodes) + beta**2 * len(above))
    return total


def best_value_of_sets(taxonomy: Taxonomy, p: Sequence[float], beta: float) -> float:
    """The largest expected hierarchical F-score of any set of nodes that is not empty."""
    every = range(taxonomy.num_nodes)
    subsets = (set_ for size in every for set_ in itertools.combinations(every, size + 1))
    return max(expected_of_set(taxonomy, p, nodes, beta) for nodes in subsets)
