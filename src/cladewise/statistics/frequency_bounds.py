"""How frequent the labels of a level are in training: many, medium or few images."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from cladewise.errors import InputError
from cladewise.taxonomy import Taxonomy

IntArray = NDArray[np.int64]

FREQUENCIES = ("many", "medium", "few")
"""Groups of labels by their number of training images."""


@dataclasses.dataclass(frozen=True)
class FrequencyBounds:
    """The numbers of training images that separate labels with many, medium and few of them.

    Args:
        few_below: A label with fewer training images has few.
        many_above: A label with more training images has many.

    Raises:
        InputError: ``few_below`` is negative or above ``many_above``.

    Example:
        >>> FrequencyBounds().of(np.array([101, 100, 20, 19, 0])).tolist()
        ['many', 'medium', 'medium', 'few', 'few']

    References: Liu et al., Large-scale long-tailed recognition in an open world, CVPR 2019, arXiv:1904.05160, whose
        bounds on ImageNet-LT the defaults are.
    """

    few_below: int = 20
    many_above: int = 100

    def __post_init__(self) -> None:
        if not 0 <= self.few_below <= self.many_above:
            got = f"few below {self.few_below} and many above {self.many_above}"
            advice = "Give few_below= of at most many_above=."
            raise InputError("bounds with 0 <= few_below <= many_above", got, advice=advice)

    def of(self, num_images: IntArray) -> NDArray[np.str_]:
        """The group of each number of images."""
        least = np.where(num_images < self.few_below, "few", "medium")
        return np.where(num_images > self.many_above, "many", least)


def images_at_level(num_images: IntArray, level: int, taxonomy: Taxonomy) -> tuple[IntArray, int]:
    """Number of images that every node represents at a level ``[node]``, and of images labelled above the level.

    Args:
        num_images: Number of images labelled with each node itself, ``[node]``.
        level: Number of the level.
        taxonomy: The label tree.

    Example:
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
        >>> images_at_level(np.array([0, 5, 2, 1, 3]), 1, t)[0].tolist()  # of a: its own, those of b, and those of c
        [0, 8, 0, 0, 3]
        >>> images_at_level(np.array([0, 5, 2, 1, 3]), 2, t)[1]  # the five of a say nothing about its children
        5
    """
    reaches = taxonomy.speaks(level)
    total = np.zeros(taxonomy.num_nodes, dtype=np.int64)
    np.add.at(total, taxonomy.at_level(level)[reaches], num_images[reaches])
    return total, int(num_images[~reaches].sum())
