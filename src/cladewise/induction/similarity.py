"""Distances between classes, from their vectors and from the confusions of a classifier."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cladewise.errors import InputError
from cladewise.induction.merges import check_size

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.floating[Any]]

LEAST = 1e-12
"""Probability below which a confusion counts as this rare."""


def class_means(vectors: FloatArray, classes: IntArray, num_classes: int) -> tuple[FloatArray, IntArray]:
    """Mean vector and number of images of every class; zeros for a class without images.

    Example:
        >>> means, counts = class_means(np.array([[1.0, 0.0], [3.0, 0.0]]), np.array([1, 1]), 2)
        >>> means.tolist(), counts.tolist()
        ([[0.0, 0.0], [2.0, 0.0]], [0, 2])
    """
    counts = np.bincount(classes, minlength=num_classes)
    sums = np.zeros((num_classes, vectors.shape[1]))
    order = np.argsort(classes, kind="stable")
    starts = np.flatnonzero(np.diff(classes[order], prepend=-1))
    if starts.size:
        sums[classes[order][starts]] = np.add.reduceat(vectors[order].astype(np.float64), starts)
    return sums / np.maximum(counts, 1)[:, None], counts


def vector_distances(vectors: FloatArray) -> FloatArray:
    r"""Cosine distance of every pair of vectors after their mean is subtracted, in the order of SciPy's ``pdist``.

    .. math:: d(a, b) = 1 - \cos(x_a - \bar x, x_b - \bar x) \in [0, 2]

    Features of one encoder share a large common part, which the mean removes; without it all classes look alike. A
    vector equal to the mean has distance 1 to all.

    Args:
        vectors: ``[class, dim]``.

    Raises:
        InputError: There are too many classes, or a value is not finite.

    Example:
        >>> vector_distances(np.array([[1.0, 0.0], [-1.0, 0.0], [1.0, 0.0]])).round(3).tolist()
        [2.0, 0.0, 2.0]
    """
    check_size(len(vectors))
    if not np.isfinite(vectors).all():
        raise InputError("vectors that are finite numbers", "some that are not")
    from scipy.spatial.distance import pdist

    centred = vectors - vectors.mean(0)
    lengths = np.linalg.norm(centred, axis=1, keepdims=True)
    lengths[lengths < 1e-9 * lengths.max(initial=0)] = 0
    units = centred / np.maximum(lengths, LEAST)
    without = (lengths[:, 0] <= LEAST).astype(np.float64)
    distances = pdist(units, "sqeuclidean") / 2
    if without.any():  # a vector without a direction is orthogonal to all
        first, second = np.triu_indices(len(vectors), 1)
        distances[(without[first] + without[second]) > 0] = 1.0
    return distances


def confusion_matrix(probabilities: FloatArray, classes: IntArray) -> tuple[FloatArray, IntArray]:
    r"""Mean probability that each class's images are given of every class, and the number of images of each.

    .. math:: M_{tp} = \frac{1}{|I_t|} \sum_{i \in I_t} p_i(p)

    Unlike counts of answers it is not zero for rare confusions, so a few images per class are enough. Its sum over the
    answers is the confusion matrix of a classifier that draws its answers from its own probabilities.

    Args:
        probabilities: ``[image, class]``.
        classes: Class of each image.

    Example:
        >>> confusion_matrix(np.array([[0.6, 0.4], [0.8, 0.2]]), np.array([0, 0]))[0].round(2).tolist()
        [[0.7, 0.3], [0.0, 0.0]]
    """
    return class_means(probabilities, classes, probabilities.shape[1])


def confusion_distances(matrix: FloatArray, counts: IntArray) -> FloatArray:
    r"""Distance of every pair of classes by how rarely they are confused, in the order of SciPy's ``pdist``.

    .. math:: d(a, b) = -\log \tfrac12 (M_{ab} + M_{ba})

    in nats. If only one of two classes has images, its row alone counts; if neither has, they are as far apart as
    classes can be, :math:`-\log 10^{-12}`.

    Args:
        matrix: Mean probabilities, of :func:`confusion_matrix`.
        counts: Number of images of each class.

    Raises:
        InputError: There are too many classes.

    Example:
        >>> matrix = np.array([[0.7, 0.2, 0.1], [0.4, 0.5, 0.1], [0.0, 0.0, 0.0]])
        >>> np.exp(-confusion_distances(matrix, np.array([5, 5, 0]))).round(2).tolist()
        [0.3, 0.1, 0.1]
    """
    check_size(len(matrix))
    seen = (counts > 0).astype(np.float64)
    first, second = np.triu_indices(len(matrix), 1)
    total = matrix[first, second] * seen[first] + matrix[second, first] * seen[second]
    return -np.log(np.maximum(total / np.maximum(seen[first] + seen[second], 1), LEAST))
