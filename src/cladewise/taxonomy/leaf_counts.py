"""Numbers of images of the leaves, where images are labelled at any node."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cladewise.taxonomy.tree import Taxonomy


def images_by_leaf(num_images: NDArray[np.int64], taxonomy: Taxonomy) -> NDArray[np.float64]:
    """Number of images of every leaf, at least 1; an image labelled with an internal node counts for its leaves alike.

    A leaf without images counts as having one, since a frequency relative to nothing is not defined.

    Args:
        num_images: Number of images labelled with each node itself, ``[node]``.
        taxonomy: The label tree.

    Example:
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
        >>> images_by_leaf(np.array([0, 4, 6, 0, 0]), t).tolist()
        [8.0, 2.0, 1.0]
    """
    share = num_images / taxonomy.num_leaves_under
    change = np.zeros(taxonomy.num_leaves + 1)
    np.add.at(change, taxonomy.leaf_start, share)
    np.subtract.at(change, taxonomy.leaf_end, share)
    return np.maximum(np.cumsum(change)[:-1], 1.0)
