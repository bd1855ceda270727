"""Slow, obvious twins of the measures of unknown classes."""

from __future__ import annotations

import numpy as np

from cladewise.taxonomy import Taxonomy
from reference.trees import path


def area(negative: list[float], positive: list[float]) -> float:
    """Share of the pairs in which the positive has the larger score; ties count half."""
    pairs = [(n, p) for n in negative for p in positive]
    return sum(1.0 if p > n else 0.5 if p == n else 0.0 for n, p in pairs) / len(pairs)


def edges(taxonomy: Taxonomy, first: int, second: int) -> int:
    """Number of edges on the path between two nodes."""
    return len(set(path(taxonomy, first)) ^ set(path(taxonomy, second)))


def balanced(values: list[float], classes: list[int]) -> float:
    """Mean over the classes of the means of their values."""
    of_class: dict[int, list[float]] = {}
    for value, name in zip(values, classes, strict=True):
        of_class.setdefault(name, []).append(value)
    return float(np.mean([np.mean(some) for some in of_class.values()]))
