"""The class of each node at each level, as an index into the level's nodes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cladewise.taxonomy import Taxonomy

NO_LABEL = -100
"""Class of a node at a level finer than its own, about which it says nothing; torch's default ``ignore_index``."""


def level_classes(taxonomy: Taxonomy, levels: Sequence[int]) -> NDArray[np.int64]:
    """Class of every node at each of the levels, ``[level, node]``.

    The class is the position, among the nodes of the extended level, of the node's representative there. A label at an
    internal node says nothing about finer levels, and its class there is :data:`NO_LABEL`.

    Args:
        taxonomy: The label tree.
        levels: Levels, 1 for the coarsest.

    Example:
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
        >>> level_classes(t, (1, 2)).tolist()  # the root and a say nothing about level 2
        [[-100, 0, 0, 0, 1], [-100, -100, 0, 1, 2]]
    """
    classes = np.empty((len(levels), taxonomy.num_nodes), dtype=np.int64)
    for row, level in zip(classes, levels, strict=True):
        speaks = (taxonomy.level >= level) | taxonomy.is_leaf
        row[:] = np.where(speaks, np.searchsorted(taxonomy.level_nodes(level), taxonomy.at_level(level)), NO_LABEL)
    return classes
