"""Folds of images for scores by networks that have not seen an image, its near-duplicates or its group."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

IntArray = NDArray[np.int64]


def groups_of(num_images: int, pairs: IntArray, column: IntArray | None = None) -> IntArray:
    """Number of the group of each image: images that are linked by pairs or by a column, directly or through others.

    Args:
        num_images: Number of images.
        pairs: Pairs of images that show the same thing ``[2, pair]``.
        column: Number of the group of each image by other knowledge, such as a sequence; -1 for none.

    Example:
        >>> groups_of(5, np.array([[0, 3], [1, 4]]), np.array([-1, 7, 7, -1, -1])).tolist()
        [0, 0, 0, 1, 1]
    """
    first, second = np.asarray(pairs, dtype=np.int64).reshape(2, -1)
    if column is not None:
        member = np.flatnonzero(column >= 0)
        _, start, which = np.unique(column[member], return_index=True, return_inverse=True)
        first, second = np.append(first, member), np.append(second, member[start][which.reshape(-1)])
    links = coo_array((np.ones(first.size, dtype=np.int8), (first, second)), shape=(num_images, num_images))
    return connected_components(links, directed=False)[1].astype(np.int64)


def dealt(groups: IntArray, labels: IntArray, folds: int, seed: int = 0) -> IntArray:
    """Fold of each image; a group is in one fold, and the groups of a label are dealt to the folds in turn.

    A group counts for the most frequent label in it. The order of the groups and of the folds is random.

    Args:
        groups: Number of the group of each image, from 0 without gaps.
        labels: Node of each image.
        folds: Number of folds.
        seed: Random seed.

    Example:
        >>> dealt(np.arange(6), np.array([1, 1, 1, 2, 2, 2]), 3).tolist()
        [0, 2, 1, 2, 1, 0]
    """
    random = np.random.default_rng((seed, 19))
    pair, count = np.unique(np.stack([groups, labels]), axis=1, return_counts=True)
    order = np.lexsort((pair[1], -count, pair[0]))
    group, first = np.unique(pair[0][order], return_index=True)
    label = pair[1][order][first]
    deal = np.lexsort((random.random(group.size), label))
    distinct, start, size = np.unique(label[deal], return_index=True, return_counts=True)
    rank = np.arange(group.size) - np.repeat(start, size)
    fold = np.empty(group.size, dtype=np.int64)
    fold[deal] = (rank + np.repeat(random.integers(folds, size=distinct.size), size)) % folds
    return fold[groups]


def fingerprint(*arrays: IntArray) -> str:
    """A short digest of whole numbers, to recognise folds of the same images with the same labels."""
    found = hashlib.sha256()
    for array in arrays:
        found.update(np.ascontiguousarray(array, dtype="<i8").tobytes() + b"|")
    return found.hexdigest()[:12]
