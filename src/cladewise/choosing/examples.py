"""Images on which rules differ, for the reader of the page to look at."""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

PAIRS = 2_000
"""Largest number of pairs of rules that are looked at."""


def differing_images(nodes: NDArray[np.int32], *, each: int, most: int, seed: int = 0) -> NDArray[np.int64]:
    """Images of which every pair of rules has some with different answers, as far as there are any.

    Images are drawn at random, so that they illustrate the rules and not their worst mistakes; those that are there
    for one pair count for the others.

    Args:
        nodes: Answers ``[rule, image]``. Where there are many rules, pairs of neighbours come first.
        each: Number of images wanted per pair.
        most: Largest number of images.
        seed: Seed of the draw.

    Returns:
        Their indices, in random order.

    Example:
        >>> differing_images(np.array([[1, 2, 3, 4], [1, 2, 3, 0], [1, 0, 3, 0]], dtype=np.int32), each=1, most=9)
        array([1, 3])
    """
    num_rules, num_images = nodes.shape
    order = np.random.default_rng(seed).permutation(num_images)
    shuffled = nodes[:, order]
    is_chosen = np.zeros(num_images, dtype=np.bool_)
    pairs = sorted(itertools.combinations(range(num_rules), 2), key=lambda pair: pair[1] - pair[0])
    for one, other in pairs[:PAIRS]:
        differ = shuffled[one] != shuffled[other]
        missing = min(each - int((differ & is_chosen).sum()), most - int(is_chosen.sum()))
        if missing > 0:
            is_chosen[np.flatnonzero(differ & ~is_chosen)[:missing]] = True
    return order[is_chosen]
