"""Slow, obvious versions of the clustering of classes and of the comparison of trees."""

from __future__ import annotations

import itertools
import math

import numpy as np

from cladewise import Taxonomy


def average_linkage(distances: dict[tuple[int, int], float], size: int) -> list[tuple[frozenset[int], float]]:
    """Groups made by merging the two nearest groups again and again, with the distance of each merge."""
    groups = [frozenset([k]) for k in range(size)]
    made: list[tuple[frozenset[int], float]] = []
    while len(groups) > 1:

        def apart(pair: tuple[frozenset[int], frozenset[int]]) -> float:
            return float(np.mean([distances[min(a, b), max(a, b)] for a in pair[0] for b in pair[1]]))

        first, second = min(itertools.combinations(groups, 2), key=apart)
        made.append((first | second, apart((first, second))))
        groups = [group for group in groups if group not in (first, second)] + [first | second]
    return made


def confusion_distance(probabilities: list[list[float]], classes: list[int], a: int, b: int) -> float:
    """Minus the logarithm of the mean confusion of two classes, image by image."""
    directions = []
    for true, answer in ((a, b), (b, a)):
        given = [row[answer] for row, label in zip(probabilities, classes, strict=True) if label == true]
        if given:
            directions.append(sum(given) / len(given))
    mean = sum(directions) / len(directions) if directions else 0.0
    return -math.log(max(mean, 1e-12))


def closest_pair(tree: Taxonomy, nodes: tuple[int, int, int]) -> tuple[int, int] | None:
    """The two of three nodes that share the longest path, if no other two share as long a one."""
    shared = {
        pair: len(set(tree.path(nodes[pair[0]])) & set(tree.path(nodes[pair[1]])))
        for pair in itertools.combinations(range(3), 2)
    }
    best = max(shared.values())
    winners = [pair for pair, length in shared.items() if length == best]
    return winners[0] if len(winners) == 1 else None


def triplet_agreement(first: Taxonomy, second: Taxonomy, nodes: list[tuple[int, int]]) -> tuple[float, float, int]:
    """Share of the second tree's triples on which the first agrees, share that it decides, and their number."""
    points, decided, total = 0.0, 0, 0
    for a, b, c in itertools.combinations(nodes, 3):
        wanted = closest_pair(second, (a[1], b[1], c[1]))
        if wanted is None:
            continue
        given = closest_pair(first, (a[0], b[0], c[0]))
        total += 1
        decided += given is not None
        points += 1 / 3 if given is None else float(given == wanted)
    return points / total, decided / total, total
