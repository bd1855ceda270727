"""The decisions again, one image and one node at a time."""

from __future__ import annotations

import math
from collections.abc import Sequence

from cladewise.taxonomy import Taxonomy
from reference import trees


def most_informative_above(taxonomy: Taxonomy, p: Sequence[float], threshold: float) -> int:
    best, best_key = 0, (-1.0, -1.0)
    for v in range(taxonomy.num_nodes):
        if p[v] > threshold and len(taxonomy.children(v)) != 1:
            key = (float(taxonomy.information[v]), p[v])
            if key > best_key:
                best, best_key = v, key
    return best


def best_of(nodes: Sequence[int], scores: Sequence[float]) -> int:
    """The first of the nodes with the largest score."""
    best = nodes[0]
    for v in nodes:
        if scores[v] > scores[best]:
            best = v
    return best


def level_probabilities(taxonomy: Taxonomy, p: Sequence[float], level: int) -> dict[int, float]:
    """Probability of each class of a level: that of its node, or of the children alone that the node stands for."""
    found: dict[int, float] = {}
    for v in map(int, taxonomy.level_nodes(level)):
        below = [int(c) for c in taxonomy.children(v)]
        skipping = [c for c in below if taxonomy.level[v] < level < taxonomy.level[c]]
        shared = 0 < len(skipping) < len(below)
        found[v] = min(p[v], sum(p[c] for c in skipping)) if shared else p[v]
    return found


def runner_up(taxonomy: Taxonomy, p: Sequence[float]) -> float:
    """The largest second best child of any node; -1 where no node has two."""
    families = [sorted(p[c] for c in taxonomy.children(v)) for v in range(taxonomy.num_nodes)]
    return max([family[-2] for family in families if len(family) > 1], default=-1.0)


def plurality(taxonomy: Taxonomy, p: Sequence[float]) -> int:
    return most_informative_above(taxonomy, p, runner_up(taxonomy, p) * (1 + 1e-12))  # a sum of one may round


def expected_information(taxonomy: Taxonomy, p: Sequence[float]) -> int:
    worth = [p[v] * float(taxonomy.information[v]) for v in range(taxonomy.num_nodes)]
    return best_of([v for v in range(taxonomy.num_nodes) if len(taxonomy.children(v)) != 1], worth)


def exclusive_mass(taxonomy: Taxonomy, p: Sequence[float]) -> int:
    own = [p[v] - sum(p[c] for c in taxonomy.children(v)) for v in range(taxonomy.num_nodes)]
    return best_of(range(taxonomy.num_nodes), own)


def greedy(taxonomy: Taxonomy, p: Sequence[float], threshold: float, *, step: bool) -> int:
    v = 0
    while len(taxonomy.children(v)):
        child = best_of(taxonomy.children(v).tolist(), p)
        if (p[child] / p[v] if step else p[child]) < threshold:
            break
        v = child
    return v


def path_length(taxonomy: Taxonomy, u: int, v: int) -> int:
    first, second = trees.path(taxonomy, u), trees.path(taxonomy, v)
    shared = sum(a == b for a, b in zip(first, second, strict=False))
    return len(first) + len(second) - 2 * shared


def lca_height(taxonomy: Taxonomy, u: int, v: int) -> int:
    return trees.height(taxonomy, trees.lca(taxonomy, u, v))


def risk(taxonomy: Taxonomy, p: Sequence[float], v: int, cost: str) -> float:
    """Expected cost of answering a node, over the leaves."""
    pair = {"lca-height": lca_height, "path-length": path_length}[cost]
    return sum(p[leaf] * pair(taxonomy, v, leaf) for leaf in taxonomy.leaf_nodes.tolist())


def hedge(taxonomy: Taxonomy, p: Sequence[float], bonus: float) -> int:
    worth = [p[v] * (float(taxonomy.information[v]) + bonus) for v in range(taxonomy.num_nodes)]
    best = next(v for v, w in enumerate(worth) if w >= max(worth) * (1 - 1e-12))  # a sum of one may round
    while best and len(taxonomy.children(best)) == 1 and p[best + 1] >= p[best] * (1 - 1e-12):
        best += 1
    return best


def leaf_or_root(taxonomy: Taxonomy, p: Sequence[float], threshold: float) -> int:
    leaf = best_of(taxonomy.leaf_nodes.tolist(), p)
    return leaf if p[leaf] > threshold else 0


def hedged_expectation(taxonomy: Taxonomy, p: Sequence[float], threshold: float) -> int:
    allowed = [v for v in range(taxonomy.num_nodes) if len(taxonomy.children(v)) != 1 and p[v] > threshold]
    worth = [p[v] * float(taxonomy.information[v]) for v in range(taxonomy.num_nodes)]
    return best_of(allowed, worth) if allowed else 0


def tail(successes: int, trials: int, p: float) -> float:
    return sum(math.comb(trials, k) * p**k * (1 - p) ** (trials - k) for k in range(successes, trials + 1))


def is_enough(successes: int, trials: int, guarantee: float) -> bool:
    """Whether so many successes would come by chance in fewer than 5% of cases, were the guarantee not exceeded."""
    return tail(successes, trials, guarantee) < 0.05
