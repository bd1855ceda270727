"""Classes that are one and classes that are two, on synthetic images."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from cladewise.auditing.classes import area_with_error, classes_that_are_one, classes_that_are_two, rival_classes
from cladewise.taxonomy import Taxonomy

TREE = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("a", "d"), ("e", "f"), ("e", "c"), ("g",)])
CLASSES = [2, 3, 4, 6, 7, 8]
EACH = 40


def clouds(seed: int, merged: dict[int, int] | None = None, divided: int = -1) -> tuple[np.ndarray, np.ndarray]:
    """One normal cloud per class, some classes under one label, and one with two centres."""
    random = np.random.default_rng(seed)
    centres = random.normal(size=(TREE.num_nodes, 12)) * 4
    nodes = np.repeat(CLASSES, EACH)
    points = centres[nodes] + random.normal(size=(nodes.size, 12))
    if divided >= 0:
        half = np.flatnonzero(nodes == divided)[: EACH // 2]
        points[half] += random.normal(size=12) * 4
    for source, target in (merged or {}).items():
        points[nodes == source] = centres[target] + random.normal(size=(EACH, 12))
    return nodes, points.astype(np.float32)


def log_probs(nodes: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Out-of-sample log-probabilities: each image against the class means without itself."""
    found = np.full((nodes.size, TREE.num_nodes), -np.inf)
    for row in range(nodes.size):
        rest = np.arange(nodes.size) != row
        for v in CLASSES:
            found[row, v] = -0.5 * ((points[row] - points[rest & (nodes == v)].mean(0)) ** 2).sum()
    return found


def test_classes_under_two_names_are_found_and_no_others() -> None:
    nodes, points = clouds(0, merged={3: 2, 7: 4})  # siblings, and a homonym of another branch
    unit = points / np.linalg.norm(points, axis=1, keepdims=True)
    rivals = rival_classes(nodes, unit, TREE)
    p = log_probs(nodes, points)
    own = p[np.arange(nodes.size), nodes]
    beside = np.where(rivals[nodes] < 0, np.nan, np.take_along_axis(p, rivals[nodes].clip(0), axis=1))
    found = classes_that_are_one(nodes, own, beside, rivals, TREE)
    assert {(one.first, one.second): one.are_siblings for one in found} == {(2, 3): True, (4, 7): False}
    assert all(one.area < 0.7 and one.area < one.upper < 0.9 for one in found)


def test_rivals_are_never_on_one_path() -> None:
    nodes = np.repeat([1, 2, 3, 4, 8], 10)
    vectors = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32)
    rivals = rival_classes(nodes, vectors, TREE)
    for node in (1, 2, 3, 4, 8):
        there = rivals[node][rivals[node] >= 0]
        assert not (TREE.contains(there, node) | TREE.contains(node, there)).any()
        assert set(there.tolist()) <= {1, 2, 3, 4, 8} - {node}
    assert (rivals[5] == -1).all()


@pytest.mark.parametrize("seed", range(3))
def test_a_class_with_two_centres_is_found_first(seed: int) -> None:
    nodes, points = clouds(seed, divided=4)
    found = classes_that_are_two(nodes, points, TREE)
    assert found[0].node == 4
    halves = found[0].second
    assert halves.size == EACH
    assert {halves[: EACH // 2].mean(), halves[EACH // 2 :].mean()} == {0.0, 1.0}


def test_heavy_tails_and_unequal_spreads_are_seldom_two() -> None:
    count = 0
    for seed in range(10):
        random = np.random.default_rng(seed)
        nodes, points = clouds(seed)
        spread = np.exp(0.5 * random.normal(size=(TREE.num_nodes, points.shape[1])))[nodes]
        points += random.standard_t(4, size=points.shape) * spread
        count += len(classes_that_are_two(nodes, points.astype(np.float32), TREE))
    assert count <= 2  # of 60 classes


def test_normal_clouds_and_equal_images_are_not_two() -> None:
    nodes, points = clouds(5)
    points[nodes == 8] = points[nodes == 8][0]
    assert classes_that_are_two(nodes, points, TREE) == []
    assert classes_that_are_two(nodes[:10], points[:10], TREE) == []


def test_area_is_that_of_scikit_learn_and_its_error_that_of_many_samples() -> None:
    random = np.random.default_rng(0)
    areas, errors = [], []
    for _ in range(400):
        low, high = random.normal(size=30), random.normal(size=25) + 1
        area, error = area_with_error(low, high)
        areas.append(area)
        errors.append(error)
        assert area == pytest.approx(roc_auc_score(np.repeat([0, 1], [30, 25]), np.concatenate([low, high])))
    assert np.mean(errors) == pytest.approx(np.std(areas), rel=0.15)


def test_infinite_log_probabilities_are_the_lowest() -> None:
    assert area_with_error(np.full(9, -np.inf), np.zeros(9)) == (1.0, 0.0)
