"""Temperatures: recovered from a known truth, and the laws that tempered predictions obey."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from cladewise import Taxonomy, ops
from cladewise.calibration import Temperature, at_temperature, label_nats
from cladewise.errors import InputError
from cladewise.inference import Calibrate, Subset
from cladewise.predictions import (
    Coherence,
    LeafSoftmax,
    LevelSoftmax,
    NodeSoftmax,
    Prediction,
    SiblingSoftmax,
)
from reference import trees
from reference.given_predictions import KINDS, random_prediction
from reference.laws import CHAIN, RAGGED, STAR, case
from reference.small_trees import ragged_taxonomies

TREES = {"ragged": RAGGED, "star": STAR, "chain": CHAIN}
few = settings(max_examples=15)


def drawn_leaves(prediction: Prediction, seed: int = 0) -> Tensor:
    """A label per image, drawn from the leaves' own probabilities."""
    leaves = torch.tensor(prediction.taxonomy.leaf_nodes.copy())
    p = prediction.log_prob[:, leaves].exp()
    return leaves[torch.multinomial(p, 1, generator=torch.Generator().manual_seed(seed)).squeeze(1)]


def wide_tree() -> Taxonomy:
    return Taxonomy.from_paths([(f"o{i % 3}", f"f{i % 9}", f"s{i}") for i in range(36)])


@pytest.mark.parametrize("true", [0.4, 1.0, 3.0])
def test_the_temperature_of_a_known_truth_is_recovered(true: float) -> None:
    truth = random_prediction("LeafSoftmax", wide_tree(), 4000, seed=1)
    sure = LeafSoftmax(truth.taxonomy, truth.logits * true)
    found = Calibrate().fit(sure, drawn_leaves(truth))
    assert float(torch.as_tensor(found.parameters)) == pytest.approx(true, rel=0.05)
    torch.testing.assert_close(found(sure).log_prob, truth.log_prob, atol=0.3, rtol=0.05)


def test_a_temperature_per_level_of_a_known_truth_is_recovered() -> None:
    truth = random_prediction("SiblingSoftmax", wide_tree(), 6000, seed=1)
    true = torch.tensor([0.5, 1.0, 2.5], dtype=torch.float64)
    level = torch.tensor(truth.taxonomy.level.copy())[1:] - 1
    given = SiblingSoftmax(truth.taxonomy, truth.logits * true[level])
    found = torch.as_tensor(Calibrate(by="level").fit(given, drawn_leaves(truth)).parameters)
    torch.testing.assert_close(found, true, rtol=0.08, atol=0.0)


def test_the_temperature_of_labels_at_internal_nodes_is_recovered() -> None:
    truth = random_prediction("LeafSoftmax", wide_tree(), 20000, seed=2)
    sure = LeafSoftmax(truth.taxonomy, truth.logits * 2.0)
    level = torch.tensor(truth.taxonomy.at_level(2))
    found = Calibrate().fit(sure, level[drawn_leaves(truth)])
    assert float(torch.as_tensor(found.parameters)) == pytest.approx(2.0, rel=0.05)


def test_level_softmaxes_have_a_temperature_each() -> None:
    tree = wide_tree()
    truth = random_prediction("LevelSoftmax", tree, 6000, seed=3, scale=1.0)
    assert isinstance(truth, LevelSoftmax)
    generator, true = torch.Generator().manual_seed(0), [0.5, 1.0, 2.0]
    drawn = [
        one.nodes[torch.multinomial(one.log_prob.exp(), 1, generator=generator).squeeze(1)] for one in truth.by_level
    ]
    widths = [len(one.nodes) for one in truth.by_level]
    logits = torch.cat([z * t for z, t in zip(truth.logits.split(widths, -1), true, strict=True)], -1)
    given = LevelSoftmax(tree, logits)
    with pytest.warns(UserWarning, match="level_2 has 0, level_3 has 0 labelled images"):
        coarse = torch.as_tensor(Calibrate(by="level").fit(given, drawn[0]).parameters)
    assert float(coarse[0]) == pytest.approx(0.5, rel=0.1)


@few
@given(ragged_taxonomies(), st.integers(0, 99), st.sampled_from([0.2, 1.0, 5.0]))
def test_one_temperature_is_its_twin(tree: Taxonomy, seed: int, temperature: float) -> None:
    for kind in KINDS:
        prediction = random_prediction(kind, tree, 3, seed=seed)
        result = at_temperature(prediction, torch.tensor(temperature))
        with case(kind):
            if prediction.coherence is Coherence.SUPERADDITIVE:
                scores, nodes = prediction.own_log_prob, range(tree.num_nodes)
            else:
                scores, nodes = prediction.settled().leaf_scores(), tree.leaf_nodes.tolist()
            weight = np.exp(scores.numpy() / temperature - scores.numpy().max(-1, keepdims=True) / temperature)
            weight /= weight.sum(-1, keepdims=True)
            expected = np.zeros((3, tree.num_nodes))
            for column, node in enumerate(nodes):
                for above in trees.path(tree, node):
                    expected[:, above] += weight[:, column]
            np.testing.assert_allclose(result.log_prob.exp().numpy()[:, 1:], expected[:, 1:], atol=1e-6)


@few
@given(ragged_taxonomies(), st.integers(0, 99), st.sampled_from([0.2, 1.0, 5.0]))
def test_shares_of_siblings_are_tempered_by_their_twin(tree: Taxonomy, seed: int, temperature: float) -> None:
    by_level = torch.linspace(temperature, 2 * temperature, max(1, tree.num_levels), dtype=torch.float64)
    for kind in ("LeafSoftmax", "SiblingSoftmax", "PathSumSoftmax", "NodeSoftmax"):
        prediction = random_prediction(kind, tree, 2, seed=seed)
        result = at_temperature(prediction, by_level[: tree.num_levels])
        p, own = prediction.log_prob.exp().numpy(), prediction.own_log_prob.exp().numpy()
        expected = np.ones((2, tree.num_nodes))
        for image in range(2):
            for v in range(tree.num_nodes):
                children = np.flatnonzero(tree.parents == v)
                if not len(children):
                    continue
                t = float(by_level[int(tree.level[v])])
                shares = np.append(p[image, children], own[image, v]) / p[image, v]
                tempered = np.where(shares > 0, shares ** (1 / t), 0)
                expected[image, children] = expected[image, v] * tempered[:-1] / tempered.sum()
        with case(kind):
            assert result.coherence is prediction.coherence
            np.testing.assert_allclose(result.log_prob.exp().numpy()[:, 1:], expected[:, 1:], atol=1e-6)


def test_temperatures_of_one_change_nothing_of_heads_that_keep_their_form() -> None:
    for tree in TREES.values():
        for kind in KINDS:
            prediction = random_prediction(kind, tree, 5)
            result = at_temperature(prediction, torch.ones(tree.num_levels, dtype=torch.float64))
            with case(kind):
                if kind == "PathSumSigmoid":  # capped by its parents
                    paths = [prediction.log_prob.numpy()[:, trees.path(tree, v)] for v in range(tree.num_nodes)]
                    capped = np.stack([0.999 * p.min(1) + 0.001 * p.sum(1) for p in paths], 1)
                    np.testing.assert_allclose(result.log_prob.numpy(), capped, atol=1e-5)
                else:
                    torch.testing.assert_close(result.log_prob, prediction.log_prob, atol=1e-5, rtol=1e-5)


@few
@given(ragged_taxonomies(), st.integers(0, 99), st.floats(-3, 3))
def test_a_temperature_never_changes_the_order_of_leaves(tree: Taxonomy, seed: int, log_temperature: float) -> None:
    for kind in KINDS:
        prediction = random_prediction(kind, tree, 4, seed=seed)
        result = at_temperature(prediction, torch.tensor(math.exp(log_temperature), dtype=torch.float64))
        with case(kind):
            leaves = torch.tensor(tree.leaf_nodes.copy())
            with_mass = prediction.coherence is Coherence.SUPERADDITIVE
            scores = prediction.own_log_prob[:, leaves] if with_mass else prediction.settled().leaf_scores()
            assert (result.best_leaf().node == leaves[scores.argmax(-1)]).all()
            ordered = result.own_log_prob[:, leaves].gather(-1, scores.argsort(dim=-1))
            assert not (ordered.diff(dim=-1) < -1e-6).any()


@few
@given(ragged_taxonomies(), st.integers(0, 99))
def test_learnt_temperatures_do_not_depend_on_the_order_of_images(tree: Taxonomy, seed: int) -> None:
    order = torch.randperm(40, generator=torch.Generator().manual_seed(seed))
    target = torch.arange(40) % tree.num_nodes
    for kind in ("LeafSoftmax", "NodeSigmoid", "LevelSoftmax"):
        prediction = random_prediction(kind, tree, 40, seed=seed)
        one = Temperature().fit(prediction, target, "all")
        other = Temperature().fit(prediction[order], target[order], "all")
        with case(kind):
            torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)


@pytest.mark.filterwarnings("ignore:calibrate")
def test_extreme_scores_and_excluded_labels_give_finite_temperatures() -> None:
    for kind in KINDS:
        for scale in (1e-4, 1e4):
            prediction = random_prediction(kind, RAGGED, 40, scale=scale)
            target = torch.arange(40) % RAGGED.num_nodes
            for by in ("all", "level"):
                with case(kind, scale, by):
                    found = Temperature().fit(prediction, target, by)
                    assert found.isfinite().all()
                    assert (found > 0).all()
                    assert not at_temperature(prediction, found).log_prob.isnan().any()


def test_images_whose_label_was_excluded_do_not_count() -> None:
    tree = wide_tree()
    truth = random_prediction("LeafSoftmax", tree, 500, seed=1)
    kept = Subset(tuple(tree.leaf_nodes[:20].tolist()))(LeafSoftmax(tree, truth.logits * 2))
    target = drawn_leaves(truth)
    possible = torch.isin(target, torch.tensor(tree.leaf_nodes[:20].copy()))
    found = Temperature().fit(kept, target, "all")
    torch.testing.assert_close(found, Temperature().fit(kept[possible], target[possible], "all"))
    with pytest.raises(InputError, match="a labelled image whose label is possible"):
        Temperature().fit(kept[~possible], target[~possible], "all")


def test_right_answers_alone_do_not_make_a_prediction_certain() -> None:
    tree = wide_tree()
    prediction = random_prediction("LeafSoftmax", tree, 50)
    found = Calibrate().fit(prediction, prediction.best_leaf().node)
    confidence = found(prediction).best_leaf().log_prob.exp()
    assert 0.9 < float(confidence.mean()) < 0.9999


def test_a_level_with_few_labels_has_the_temperature_of_all() -> None:
    tree = wide_tree()
    truth = random_prediction("LeafSoftmax", tree, 300, seed=4)
    target = drawn_leaves(truth)
    target[20:] = torch.tensor(tree.at_level(2))[target[20:]]  # 20 images say something about species
    with pytest.warns(UserWarning, match="level_3 has 20 labelled images"):
        found = Temperature().fit(truth, target, "level")
    with pytest.warns(UserWarning, match="have that of all levels"):
        shared = Temperature().fit(truth[:20], target[:20], "level")
    assert len(set(found.tolist())) == 3
    assert len(set(shared.tolist())) == 1


def test_label_nats_is_the_log_loss_of_each_level() -> None:
    tree = RAGGED
    target = torch.arange(tree.num_nodes)
    speaks, wanted = ops.speaks(target, tree), ops.at_levels(target, tree)
    for kind in KINDS:
        prediction = random_prediction(kind, tree, tree.num_nodes)
        nats = label_nats(prediction, target).double().numpy()
        for image in range(tree.num_nodes):
            expected = -float(prediction.log_prob[image, image])
            if prediction.coherence not in (Coherence.EXACT, Coherence.SUPERADDITIVE):
                expected = 0.0
                for k in range(tree.num_levels):
                    nodes, log_prob = prediction.level_log_prob(k + 1)
                    p, place = log_prob[image].exp().max(-1)
                    if speaks[image, k]:
                        expected -= math.log(p if nodes[place] == wanted[image, k] else 1 - p)
            with case(kind, image):
                assert nats[image] == pytest.approx(expected, abs=1e-5)


def test_one_temperature_of_many_images_is_the_minimum_over_a_grid() -> None:
    """The prior decides nothing there."""
    tree = Taxonomy.from_paths([("a", "0"), ("a", "1"), ("b", "2"), ("b", "3")])
    truth = random_prediction("LeafSoftmax", tree, 5000, seed=5)
    target, logits = drawn_leaves(truth), 1.7 * truth.logits.numpy()
    column = np.searchsorted(tree.leaf_nodes, target.numpy())
    grid = np.linspace(1.3, 2.1, 801)
    nats = [np.log(np.exp(logits / t).sum(1)).sum() - (logits / t)[np.arange(5000), column].sum() for t in grid]
    found = Temperature().fit(LeafSoftmax(tree, torch.tensor(logits)), target, "all")
    assert float(found) == pytest.approx(grid[int(np.argmin(nats))], abs=2e-3)


def test_wrong_numbers_of_temperatures_are_refused() -> None:
    with pytest.raises(InputError, match="a temperature for each of"):
        at_temperature(random_prediction("LeafSoftmax", wide_tree(), 1), torch.ones(2))
    assert isinstance(at_temperature(random_prediction("NodeSoftmax", wide_tree(), 1), torch.ones(3)), NodeSoftmax)
