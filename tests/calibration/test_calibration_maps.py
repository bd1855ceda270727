"""Isotonic and beta maps of probabilities: equal to scikit-learn's, and monotone on every tree."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cladewise import Taxonomy
from cladewise.calibration import ProbabilityCounts
from cladewise.calibration.beta import beta_coefficients
from cladewise.inference import Calibrate, Subset
from cladewise.metrics import reliability_curves
from cladewise.predictions import Coherence, LeafSoftmax
from reference import trees
from reference.given_predictions import KINDS, random_prediction
from reference.laws import RAGGED, case
from reference.small_trees import ragged_taxonomies

few = settings(max_examples=15)
pytestmark = pytest.mark.filterwarnings("ignore:calibrate.*labelled images")


def shifted(num_images: int, seed: int = 0) -> tuple[LeafSoftmax, torch.Tensor]:
    """A prediction whose labels follow another, flatter distribution."""
    tree = Taxonomy.from_paths([(f"f{i % 4}", f"s{i}") for i in range(12)])
    truth = random_prediction("LeafSoftmax", tree, num_images, seed=seed)
    leaves = torch.tensor(tree.leaf_nodes.copy())
    p = 0.7 * truth.log_prob[:, leaves].exp() + 0.3 / len(leaves)
    drawn = torch.multinomial(p, 1, generator=torch.Generator().manual_seed(seed)).squeeze(1)
    return LeafSoftmax(tree, truth.logits), leaves[drawn]


def pairs(prediction: LeafSoftmax, target: torch.Tensor, level: int) -> tuple[np.ndarray, np.ndarray]:
    tree = prediction.taxonomy
    nodes = np.flatnonzero(tree.level == level)
    p = prediction.log_prob[:, torch.tensor(nodes)].exp().numpy()
    right = np.array([[v in trees.path(tree, int(y)) for v in nodes] for y in target])
    return p.ravel(), right.ravel().astype(float)


def test_isotonic_is_that_of_scikit_learn() -> None:
    isotonic = pytest.importorskip("sklearn.isotonic")
    prediction, target = shifted(800)
    rule = Calibrate("isotonic", "level").fit(prediction, target)
    result = rule(prediction)
    for level in (1, 2):
        p, right = pairs(prediction, target, level)
        theirs = isotonic.IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(p, right).predict(p)
        theirs = 0.999 * theirs + 0.001 * p
        nodes = torch.tensor(np.flatnonzero(prediction.taxonomy.level == level))
        ours = torch.sigmoid(result.logits[:, nodes - 1]).numpy().ravel()
        assert np.abs(ours - theirs).mean() < 2e-3
        assert np.quantile(np.abs(ours - theirs), 0.99) < 0.03  # pairs at the foot of a step


def test_beta_recovers_its_own_map() -> None:
    prediction, _ = shifted(20000)
    tree, leaves = prediction.taxonomy, torch.tensor(prediction.taxonomy.leaf_nodes.copy())
    p = prediction.log_prob[:, leaves].exp().double()
    a, b, c = 0.7, 1.4, 0.3
    mapped = torch.sigmoid(a * p.log() - b * torch.log1p(-p.clamp_max(1 - 1e-7)) + c)
    # a pair per image: the label is there with the mapped probability of one leaf, and elsewhere otherwise
    column = torch.arange(len(p)) % len(leaves)
    there = torch.rand(len(p), generator=torch.Generator().manual_seed(1)) < mapped[torch.arange(len(p)), column]
    chosen = p[torch.arange(len(p)), column].numpy()
    found = beta_coefficients(chosen, there.double().numpy(), np.ones(len(chosen)))
    np.testing.assert_allclose(found, [a, b, c], atol=0.25)
    assert tree.num_leaves == 12


@few
@given(ragged_taxonomies(), st.integers(0, 99))
def test_counts_are_those_of_a_loop(tree: Taxonomy, seed: int) -> None:
    prediction = random_prediction("NodeSigmoid", tree, 6, seed=seed)
    target = torch.arange(6) % tree.num_nodes
    found = ProbabilityCounts.of(prediction, target)
    count, right, total = np.zeros(tree.num_levels), np.zeros(tree.num_levels), np.zeros(tree.num_levels)
    for image, label in enumerate(target.tolist()):
        for v in range(1, tree.num_nodes):
            k = int(tree.level[v]) - 1
            if tree.is_leaf[label] or tree.level[label] > k:
                count[k] += 1
                right[k] += v in trees.path(tree, label)
                total[k] += float(prediction.log_prob[image, v].exp())
    np.testing.assert_array_equal(found.count.sum(1), count)
    np.testing.assert_array_equal(found.right.sum(1), right)
    np.testing.assert_allclose(found.total.sum(1), total, rtol=1e-6)


def test_maps_keep_order_and_are_capped_by_parents() -> None:
    for kind in KINDS:
        prediction = random_prediction(kind, RAGGED, 60, dtype=torch.float32)
        target = torch.arange(60) % RAGGED.num_nodes
        for rule in (
            Calibrate("isotonic"),
            Calibrate("beta"),
            Calibrate("isotonic", "level"),
            Calibrate("beta", "level"),
        ):
            result = rule.fit(prediction, target)(prediction)
            with case(kind, rule.handle):
                assert result.coherence is Coherence.MONOTONE
                p, parents = result.log_prob.exp(), torch.tensor(RAGGED.parents[1:].copy())
                assert (p[:, 1:] <= p[:, parents]).all()
                for k in range(1, RAGGED.num_levels + 1):
                    nodes = torch.tensor(np.flatnonzero(RAGGED.level == k))
                    before = prediction.settled().log_prob[:, nodes].argsort(dim=-1, stable=True)
                    ordered = result.logits[:, nodes - 1].gather(-1, before).clamp_min(-200.0)
                    assert (ordered.diff(dim=-1) >= -2e-3).all()


def test_maps_calibrate_every_level() -> None:
    for kind in ("isotonic", "beta"):
        for by in ("all", "level"):
            prediction, target = shifted(3000)
            rule = Calibrate(kind, by).fit(prediction, target)
            fresh, labels = shifted(3000, seed=7)
            before, after = reliability_curves(fresh, labels), reliability_curves(rule(fresh), labels)
            with case(kind, by):
                assert all(after[name].ece < max(0.035, before[name].ece / 2) for name in before)


def test_excluded_nodes_stay_excluded() -> None:
    prediction, target = shifted(100)
    kept = Subset(tuple(prediction.taxonomy.leaf_nodes[:5].tolist()))(prediction)
    for kind in ("temperature", "isotonic", "beta"):
        result = Calibrate(kind).fit(kept, target)(kept)
        assert (result.log_prob[kept.log_prob == -torch.inf] == -torch.inf).all()
