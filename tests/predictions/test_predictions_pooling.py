"""Pooling the predictions of several images of one thing."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cladewise import Taxonomy
from cladewise.errors import InputError
from cladewise.inference import Subset
from cladewise.predictions import POOLS, Coherence, LeafSoftmax, NodeSigmoid, Pool, Prediction, pooled
from reference.given_predictions import FROM_HEADS, KINDS, random_prediction
from reference.laws import LONE, RAGGED, case
from strategies import taxonomies

group_of = torch.tensor([0, 0, 1, 2, 2, 2])


def pools_of(kind: str) -> tuple[Pool, ...]:
    """The ways in which predictions of a kind can be pooled: lists lack what products and maxima need."""
    return ("mean",) if kind == "ListedNodes" else POOLS


def twin(rows: np.ndarray, pool: str) -> np.ndarray:
    """Probabilities of one group, from those of its images."""
    joined = {"mean": rows.mean(0), "product": np.exp(np.log(rows).mean(0)), "max": rows.max(0)}[pool]
    return np.asarray(joined / joined.sum())


@given(taxonomies(max_nodes=14), st.sampled_from(POOLS), st.integers(0, 999))
@settings(max_examples=60, deadline=None)
def test_leaves_are_pooled_as_a_loop_pools_them(taxonomy: Taxonomy, pool: Pool, seed: int) -> None:
    for kind in ("LeafSoftmax", "SiblingSoftmax", "PathSumSoftmax"):
        views = random_prediction(kind, taxonomy, 6, seed=seed, dtype=torch.float64)
        leaves = views.log_prob.exp().numpy()[:, taxonomy.leaf_nodes]
        found = pooled(views, group_of, 3, pool).log_prob.exp().numpy()[:, taxonomy.leaf_nodes]
        for number in range(3):
            np.testing.assert_allclose(found[number], twin(leaves[group_of == number], pool), atol=1e-9)


@given(taxonomies(max_nodes=14, min_nodes=2), st.sampled_from(POOLS), st.integers(0, 999))
@settings(max_examples=60, deadline=None)
def test_own_mass_levels_and_sigmoids_are_pooled_as_a_loop_pools_them(
    taxonomy: Taxonomy, pool: Pool, seed: int
) -> None:
    nodes = random_prediction("NodeSoftmax", taxonomy, 6, seed=seed, dtype=torch.float64)
    levels = random_prediction("LevelSoftmax", taxonomy, 6, seed=seed, dtype=torch.float64)
    sigmoids = random_prediction("NodeSigmoid", taxonomy, 6, seed=seed, dtype=torch.float64)
    for number in range(3):
        own = nodes.own_log_prob.exp().numpy()[group_of == number]
        found = pooled(nodes, group_of, 3, pool).own_log_prob.exp().numpy()[number]
        np.testing.assert_allclose(found, twin(np.maximum(own, 1e-300), pool), atol=1e-9)
        for level in range(1, taxonomy.num_levels + 1):
            rows = levels.level_log_prob(level).log_prob.exp().numpy()[group_of == number]
            at_level = pooled(levels, group_of, 3, pool).level_log_prob(level).log_prob.exp().numpy()[number]
            np.testing.assert_allclose(at_level, twin(rows, pool), atol=1e-9)
        p = sigmoids.log_prob.exp().numpy()[group_of == number]
        at_node = pooled(sigmoids, group_of, 3, pool).log_prob.exp().numpy()[number]
        for node in range(1, taxonomy.num_nodes):
            both = twin(np.stack([p[:, node], 1 - p[:, node]], 1), pool)
            np.testing.assert_allclose(at_node[node], both[0], atol=1e-9)


def test_a_group_of_one_image_is_that_image() -> None:
    for kind in KINDS:
        for taxonomy in (RAGGED, LONE):
            for pool in pools_of(kind):
                with case(kind, taxonomy, pool):
                    view = random_prediction(kind, taxonomy, 4, seed=2, dtype=torch.float32)
                    found = pooled(view, torch.arange(4), 4, pool)
                    expected = view if type(found) is type(view.settled()) else view.leaf_scores()
                    if isinstance(expected, Prediction):
                        torch.testing.assert_close(found.log_prob, view.log_prob, atol=1e-5, rtol=1e-5)
                    else:
                        torch.testing.assert_close(found.log_prob, LeafSoftmax(taxonomy, expected).log_prob)


def test_the_order_of_images_and_their_repetition_do_not_count() -> None:
    order = torch.tensor([4, 2, 0, 5, 1, 3])
    for kind in KINDS:
        for pool in pools_of(kind):
            with case(kind, pool):
                views = random_prediction(kind, RAGGED, 6, seed=5, dtype=torch.float32)
                found = pooled(views, group_of, 3, pool).log_prob
                torch.testing.assert_close(pooled(views[order], group_of[order], 3, pool).log_prob, found)
                twice = torch.cat([torch.arange(6)] * 2)
                torch.testing.assert_close(pooled(views[twice], group_of[twice], 3, pool).log_prob, found)


def test_extreme_scores_stay_finite() -> None:
    for kind in FROM_HEADS:
        for pool in POOLS:
            with case(kind, pool):
                views = random_prediction(kind, RAGGED, 6, seed=5, dtype=torch.float32)
                views = views.map(lambda logits: 1e4 * logits.sign())
                result = pooled(views, group_of, 3, pool)
                assert not result.log_prob.isnan().any()
                assert (result.log_prob <= 1e-5).all()
                if result.coherence is Coherence.EXACT:
                    torch.testing.assert_close(result.log_prob[:, 0], torch.zeros(3), atol=1e-5, rtol=0)


def test_what_one_image_rules_out_is_ruled_out_by_the_product_alone() -> None:
    views = LeafSoftmax(RAGGED, torch.zeros(2, RAGGED.num_leaves))
    cut = Subset(["bird"])(views[:1])
    both = LeafSoftmax(RAGGED, torch.cat([cut.logits, views[1:].logits]))
    fern = RAGGED.find("fern")
    group = torch.zeros(2, dtype=torch.int64)
    assert pooled(both, group, 1, "product").log_prob[0, fern] == -torch.inf
    assert pooled(both, group, 1, "mean").log_prob[0, fern].exp() > 0
    apart = LeafSoftmax(RAGGED, torch.cat([cut.logits, Subset(["fern"])(views[1:]).logits]))
    with pytest.raises(InputError, match=r'a possible label in common.*pool="mean"'):
        pooled(apart, group, 1, "product")


def test_lists_of_the_best_nodes_are_pooled_by_the_mean_alone() -> None:
    views = random_prediction("ListedNodes", RAGGED, 2, seed=0, dtype=torch.float32)
    with pytest.raises(InputError, match='Pool by the mean: pool="mean"'):
        pooled(views, torch.tensor([0, 0]), 1, "product")


def test_a_way_that_does_not_exist_is_refused() -> None:
    with pytest.raises(InputError, match="mean, product, max, but got 'sum'"):
        pooled(NodeSigmoid(LONE, torch.zeros(1, 0)), torch.zeros(1, dtype=torch.int64), 1, "sum")  # type: ignore[arg-type]
