"""How well features fit the known classes, against scikit-learn and SciPy."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist
from sklearn.metrics.pairwise import cosine_similarity

from cladewise import InputError, Taxonomy
from cladewise.unknowns import feature_fit
from cladewise.unknowns.features import RIDGE, FeatureScore

TREE = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",), ("e",)])
LABELS = torch.tensor([2, 2, 3, 3, 3, 4, 1, 4])
"""The last leaf has no example, and one example is of an inner node."""


def features(count: int, seed: int) -> torch.Tensor:
    return torch.randn(count, 5, generator=torch.Generator().manual_seed(seed))


def unit(values: torch.Tensor) -> np.ndarray:
    return torch.nn.functional.normalize(values.double(), dim=-1).numpy()


def test_cosine_and_nearest_equal_sklearn() -> None:
    asked, known = features(6, 0), features(8, 1)
    of_leaf = [np.flatnonzero(LABELS.numpy() == v) for v in TREE.leaf_nodes[:3]]
    means = np.stack([unit(known)[rows].mean(0) for rows in of_leaf])
    cosine = feature_fit("cosine", asked, known, LABELS, TREE).leaf_logits
    np.testing.assert_allclose(cosine[:, :3].numpy(), cosine_similarity(unit(asked), means), atol=1e-5)
    nearest = feature_fit("nearest", asked, known, LABELS, TREE).leaf_logits
    every = cosine_similarity(unit(asked), unit(known))
    expected = np.stack([every[:, rows].max(1) for rows in of_leaf], 1)
    np.testing.assert_allclose(nearest[:, :3].numpy(), expected, atol=1e-5)
    assert (cosine[:, 3] == -torch.inf).all()
    assert (nearest[:, 3] == -torch.inf).all()


def test_mahalanobis_equals_scipy() -> None:
    asked, known = features(6, 0), features(8, 1)
    rows = LABELS.numpy() != 1
    points, leaf = unit(known)[rows], LABELS.numpy()[rows]
    means = np.stack([points[leaf == v].mean(0) for v in TREE.leaf_nodes[:3]])
    inside = points - np.stack([means[list(TREE.leaf_nodes).index(v)] for v in leaf])

    def squared(centres: np.ndarray, deviations: np.ndarray) -> np.ndarray:
        covariance = deviations.T @ deviations / len(deviations)
        covariance += RIDGE * covariance.diagonal().mean() * np.eye(5)
        return cdist(unit(asked), centres, "mahalanobis", VI=np.linalg.inv(covariance)) ** 2

    found = feature_fit("mahalanobis", asked, known, LABELS, TREE).leaf_logits[:, :3].numpy()
    np.testing.assert_allclose(found, -squared(means, inside), rtol=1e-3)
    middle = points.mean(0, keepdims=True)
    relative = feature_fit("relative-mahalanobis", asked, known, LABELS, TREE).leaf_logits[:, :3].numpy()
    np.testing.assert_allclose(
        relative, -squared(means, inside) + squared(middle, points - middle), rtol=1e-3, atol=1e-3
    )


@pytest.mark.parametrize("kind", get_args(FeatureScore))
def test_shapes_and_the_order_of_examples(kind: FeatureScore) -> None:
    asked, known, order = features(6, 0), features(8, 1), torch.randperm(8)
    first = feature_fit(kind, asked, known, LABELS, TREE).leaf_logits
    second = feature_fit(kind, asked, known[order], LABELS[order], TREE).leaf_logits
    torch.testing.assert_close(first, second, atol=1e-3, rtol=1e-3)
    assert feature_fit(kind, asked[:0], known, LABELS, TREE).leaf_logits.shape == (0, 4)


def test_mistakes_are_one_line() -> None:
    with pytest.raises(InputError, match="cosine"):
        feature_fit("euclid", features(1, 0), features(8, 1), LABELS, TREE)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="none of them at a leaf"):
        feature_fit("cosine", features(1, 0), features(2, 1), torch.tensor([0, 1]), TREE)
