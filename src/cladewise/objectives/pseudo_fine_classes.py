"""Pseudo-fine classes: clusters of the images within each class."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cladewise.errors import InputError, MissingExtraError

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.floating[Any]]

AUTO = "auto"
MOST_AUTO = 32
"""Largest number of clusters tried when the number is chosen from the data."""


def clusters_wanted(choice: str | int) -> tuple[float, int | None]:
    """Parse the number of clusters: a factor of the true subclasses, or a number (with factor 0), or neither for auto.

    Raises:
        InputError: The text is none of these.

    Example:
        >>> clusters_wanted("2x"), clusters_wanted(8), clusters_wanted("auto")
        ((2.0, None), (0.0, 8), (0.0, None))
    """
    text = str(choice).strip()
    if text == AUTO:
        return 0.0, None
    if re.fullmatch(r"\d+", text):
        return 0.0, int(text)
    if (factor := re.fullmatch(r"(\d+(?:\.\d+)?)x", text)) and float(factor[1]) > 0:
        return float(factor[1]), None
    raise InputError("clusters as a factor like 2x, a number like 8 (0 for none), or auto", repr(choice))


def pseudo_fine(
    vectors: FloatArray, classes: IntArray, subclasses: IntArray, clusters: str | int, *, seed: int, starts: int = 1
) -> IntArray:
    r"""Cluster the images within each class, by k-means on normalised vectors.

    With a factor, a class gets that many clusters per subclass, rounded, at least one and at most one per image. With
    ``"auto"`` it gets the number among 2, 3, 4, 6, 8, 12, ... up to 32 and up to half its images with the largest
    Caliński–Harabasz score (ratio of the variance between clusters to that within), or one cluster if it has fewer than
    four images.

    Args:
        vectors: ``[image, dim]``.
        classes: Class of every image, from 0.
        subclasses: Number of true subclasses of each class.
        clusters: ``"2x"``, ``8``, ``0`` or ``"auto"``.
        seed: Seed of k-means.
        starts: Number of k-means restarts, of which the best is kept.

    Returns: Cluster of each image, numbered from 0 and consecutively within a class; -1 for all images if ``clusters``
        is 0.

    Raises:
        InputError: ``clusters`` is none of these.
        MissingExtraError: scikit-learn is not installed.

    Example:
        >>> vectors = np.array([[1.0, 0.0], [1.0, 0.1], [0.0, 1.0], [1.0, 1.0]])
        >>> pseudo_fine(vectors, np.array([0, 0, 0, 1]), np.array([1, 1]), "2x", seed=0).tolist()[3]
        2

    References: k-means is scikit-learn's. Caliński and Harabasz, A dendrite method for cluster analysis, 1974.
    """
    factor, number = clusters_wanted(clusters)
    if number == 0:
        return np.full(len(classes), -1, dtype=np.int64)
    points = np.asarray(vectors, dtype=np.float32)
    points = points / np.maximum(np.linalg.norm(points, axis=1, keepdims=True), 1e-12)
    found, offset = np.zeros(len(classes), dtype=np.int64), 0
    order = np.argsort(classes, kind="stable")
    names, firsts = np.unique(classes[order], return_index=True)
    for name, rows in zip(names.tolist(), np.split(order, firsts[1:]), strict=True):
        if factor or number:
            wanted = number or round(factor * int(subclasses[name]))
            local = _k_means(points[rows], max(1, min(wanted, rows.size)), seed, starts)
        else:
            local = _best_number(points[rows], seed, starts)
        found[rows] = offset + local
        offset += int(local.max()) + 1
    return found


def _k_means(points: FloatArray, clusters: int, seed: int, starts: int) -> IntArray:
    distinct = len(np.unique(points, axis=0))
    clusters = min(clusters, distinct)
    if clusters <= 1:
        return np.zeros(len(points), dtype=np.int64)
    return _sklearn("cluster").KMeans(clusters, n_init=starts, random_state=seed).fit_predict(points).astype(np.int64)


def _best_number(points: FloatArray, seed: int, starts: int) -> IntArray:
    best, best_score = np.zeros(len(points), dtype=np.int64), -np.inf
    tried = [
        k for power in range(1, 6) for k in (2**power, 3 * 2 ** (power - 1)) if k <= min(MOST_AUTO, len(points) // 2)
    ]
    for clusters in tried:
        found = _k_means(points, clusters, seed, starts)
        if 1 < len(np.unique(found)) < len(points):
            score = _sklearn("metrics").calinski_harabasz_score(points, found)
            if score > best_score:
                best, best_score = found, score
    return best


def _sklearn(module: str) -> Any:
    """A module of scikit-learn, an optional dependency.

    Raises:
        MissingExtraError: scikit-learn is not installed.
    """
    import importlib

    try:
        return importlib.import_module(f"sklearn.{module}")
    except ImportError:
        raise MissingExtraError("scikit-learn", "clusters") from None
