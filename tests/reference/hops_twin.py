"""HOPS of one image, written from its definition: ranks by walking up the tree, weights one place at a time."""

from __future__ import annotations

from collections.abc import Sequence

from cladewise.taxonomy import Taxonomy


def up(node: int, taxonomy: Taxonomy) -> list[int]:
    """The node and its ancestors."""
    return [node] if node <= 0 else [node, *up(int(taxonomy.parents[node]), taxonomy)]


def preferred_ranks(target: int, taxonomy: Taxonomy) -> list[int]:
    """Rank of every leaf: how many kinds of leaves the label is closer to."""
    above = up(target, taxonomy)
    steps = [
        next(above.index(node) for node in up(int(leaf), taxonomy) if node in above) for leaf in taxonomy.leaf_nodes
    ]
    kinds = sorted(set(steps))
    return [kinds.index(step) for step in steps]


def place_weights(ranks: Sequence[int]) -> list[float]:
    """Weight of every place of a right ranking."""
    weights: list[float] = []
    for rank in range(max(ranks) + 1):
        places = list(ranks).count(rank)
        high = 1.0 / 2**rank
        low = 1.0 if rank == 0 else 0.0 if rank == max(ranks) else high / 2
        weights += [high + (low - high) * i / places for i in range(places)]
    return weights


def hops(scores: Sequence[float], target: int, taxonomy: Taxonomy, k: int | None = None) -> float:
    """The score over the best ``k`` places, or all."""
    ranks = preferred_ranks(target, taxonomy)
    places = range(min(k or len(ranks), len(ranks)))
    right, weights = sorted(ranks), place_weights(ranks)
    found = [ranks[i] for i in sorted(range(len(ranks)), key=lambda leaf: (-scores[leaf], leaf))]
    wrong = sum(weights[j] * abs(right[j] - found[j]) for j in places)
    worst = sum(weights[j] * abs(right[j] - right[places[-1] - j]) for j in places)
    return float(wrong == 0) if worst == 0 else min(1.0, max(0.0, 1.0 - wrong / worst))
