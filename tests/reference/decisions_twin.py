"""The decisions again, one image and one node at a time."""

from __future__ import annotations

from collections.abc import Sequence

from cladewise.taxonomy import Taxonomy


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
