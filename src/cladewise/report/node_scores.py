"""How well every node of the tree does, from single answers, without a loop over images or nodes."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from cladewise.report.run import FloatArray, IntArray, Run
from cladewise.taxonomy import Taxonomy


@dataclasses.dataclass(frozen=True)
class NodeScores:
    """Of every node ``[node]``: images labelled at or under it, the share of them that is placed there too, the node
    of its level that most others went to (-1 where none did), and their share. Shares are NaN without images."""

    num_images: IntArray
    accuracy: FloatArray
    confused_with: IntArray
    confused: FloatArray


def score_nodes(runs: Sequence[Run]) -> NodeScores:
    """Score every node over all runs; images are counted once.

    An image under ``v`` is placed under ``v`` exactly if the lowest common ancestor of its label and its answer is,
    so both counts are sums over subtrees.
    """
    taxonomy = runs[0].taxonomy
    target = np.concatenate([run.target for run in runs])
    predicted = np.concatenate([run.predicted for run in runs])
    lca = np.concatenate([run.lca for run in runs])
    total, right = subtree_counts(target, taxonomy), subtree_counts(lca, taxonomy)
    confused_with, num_confused = most_confused(target, predicted, taxonomy)
    return NodeScores(total // len(runs), _share(right, total), confused_with, _share(num_confused, total))


def _share(part: IntArray, total: IntArray) -> FloatArray:
    return np.divide(part, total, out=np.full(total.shape, np.nan), where=total > 0)


def subtree_counts(nodes: IntArray, taxonomy: Taxonomy) -> IntArray:
    """How many of the given nodes lie at or under every node of the tree.

    Example:
        >>> subtree_counts(np.array([2, 2, 1]), Taxonomy.from_paths([("a", "b"), ("c",)])).tolist()
        [3, 3, 2, 0]
    """
    running = np.concatenate([[0], np.cumsum(np.bincount(nodes, minlength=taxonomy.num_nodes))])
    return running[taxonomy.end] - running[:-1]


def most_confused(target: IntArray, predicted: IntArray, taxonomy: Taxonomy) -> tuple[IntArray, IntArray]:
    """For every node, where the images under it that left it went most often, as nodes of its own level.

    Returns:
        The other node (-1 where no image left; the lowest of equals), and the number of images that went there.
    """
    num_nodes = taxonomy.num_nodes
    pairs: list[IntArray] = []
    for level in range(1, taxonomy.num_levels + 1):
        representative = taxonomy.at_level(level)
        true, other = representative[target], representative[predicted]
        left = (taxonomy.level[true] == level) & ~taxonomy.contains(true, other)
        pairs.append(true[left] * num_nodes + other[left])
    pair, count = np.unique(np.concatenate(pairs), return_counts=True)
    true, other = np.divmod(pair, num_nodes)
    order = np.lexsort((other, -count, true))
    node, first = np.unique(true[order], return_index=True)
    confused_with, num_confused = np.full(num_nodes, -1), np.zeros(num_nodes, dtype=np.int64)
    confused_with[node], num_confused[node] = other[order][first], count[order][first]
    return confused_with, num_confused
