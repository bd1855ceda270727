"""Status of an answer relative to its label: right, right but coarser, or wrong."""

from __future__ import annotations

import enum

import numpy as np
from numpy.typing import NDArray

from cladewise.taxonomy import Taxonomy

IntArray = NDArray[np.int64]


class Status(enum.IntEnum):
    """Relation of an answer to its label."""

    RIGHT = 0
    """The label, or a node below an internal label."""
    COARSER = 1
    """A node above the label."""
    WRONG = 2


def judge(target: IntArray, answer: IntArray, taxonomy: Taxonomy) -> IntArray:
    """:class:`Status` of every answer.

    Example:
        >>> tree = Taxonomy.from_paths([("a", "b"), ("a", "c")])
        >>> judge(np.array([2, 2, 2]), np.array([2, 1, 3]), tree).tolist()
        [0, 1, 2]
    """
    lca = taxonomy.meet(target, answer)
    return np.where(lca == target, Status.RIGHT, np.where(lca == answer, Status.COARSER, Status.WRONG))
