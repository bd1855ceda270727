"""Random orders that depend on a seed, paths of nodes and names of files alone, not on the order of files."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from cladewise.datasets.dataset import Dataset

IntArray = NDArray[np.int64]


def shuffled_by_node(dataset: Dataset, images: IntArray, salt: str) -> IntArray:
    """Images grouped by node, in an order that depends only on the salt and the file names."""
    keys = np.array([uniform(salt, dataset.paths[int(i)]) for i in images], dtype=np.float64)
    return images[np.lexsort((keys, dataset.nodes[images]))]


def path_key(dataset: Dataset, node: int) -> str:
    """The node's path as a random key; slashes in names are not escaped, so that old splits are reproduced."""
    return "/".join(dataset.taxonomy.path_names(node))


def uniform(salt: str, text: str) -> float:
    """A number in [0, 1), the same on every machine and in every process.

    Example:
        >>> uniform("0 train val", "wren/1.jpg") == uniform("0 train val", "wren/1.jpg")
        True
    """
    digest = hashlib.blake2b(f"{salt}\0{text}".encode(), digest_size=8).digest()
    return (int.from_bytes(digest, "big") >> 11) / 2.0**53
