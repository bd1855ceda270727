"""Agreement of a clustering with known classes: adjusted Rand index, normalised mutual information, purity."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import ArrayLike

from cladewise.errors import InputError, MissingExtraError


@dataclasses.dataclass(frozen=True)
class Agreement:
    """Agreement of clusters with classes.

    Args:
        adjusted_rand: Adjusted Rand index: 0 in expectation for random clusters, 1 for the classes themselves.
        mutual_information: Mutual information divided by the mean of the two entropies, in [0, 1].
        purity: Share of the items that belong to the most frequent class of their cluster; it grows with the number of
            clusters.
        count: Number of items.
    """

    adjusted_rand: float
    mutual_information: float
    purity: float
    count: int


def agreement(clusters: ArrayLike, classes: ArrayLike) -> Agreement:
    """Adjusted Rand index, normalised mutual information and purity of clusters.

    The first two are scikit-learn's ``adjusted_rand_score`` and ``normalized_mutual_info_score`` (arithmetic mean of
    the entropies). Two clusterings that both put everything together, or everything apart, agree entirely.

    Args:
        clusters: Cluster of each item.
        classes: Class of each item.

    Raises:
        InputError: There are not as many classes as clusters.
        MissingExtraError: scikit-learn is not installed.

    Example:
        >>> agreement([0, 0, 1, 1], ["a", "a", "b", "b"])
        Agreement(adjusted_rand=1.0, mutual_information=1.0, purity=1.0, count=4)

    References: Hubert and Arabie, Comparing partitions, 1985.
    """
    found, known = np.asarray(clusters).ravel(), np.asarray(classes).ravel()
    if found.shape != known.shape:
        raise InputError("a class for every item of a cluster", f"{known.size} of {found.size}")
    if found.size == 0:
        return Agreement(np.nan, np.nan, np.nan, 0)
    try:
        from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score
        from sklearn.metrics.cluster import contingency_matrix
    except ImportError:
        raise MissingExtraError("scikit-learn", "clusters") from None
    largest = contingency_matrix(known, found, sparse=True).max(axis=0)  # class by cluster
    return Agreement(
        float(adjusted_rand_score(known, found)),
        float(normalized_mutual_info_score(known, found)),
        float(largest.sum() / found.size),
        found.size,
    )
