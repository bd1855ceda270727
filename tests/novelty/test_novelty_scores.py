"""Novelty scores against slow twins, and laws on trees of every shape."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cladewise import Taxonomy, novelty
from cladewise.errors import InputError
from cladewise.ops import tree_index
from cladewise.predictions import LeafSoftmax, LevelSoftmax, NodeSigmoid, NodeSoftmax, level_width
from reference import novelty_twin as twin
from reference.given_predictions import KINDS, random_prediction, width
from reference.laws import CHAIN, LONE, RAGGED, STAR, case
from reference.small_trees import ragged_taxonomies, reordered

MEASURES: dict[str, Any] = {
    "max-share": twin.surprise,
    "entropy": twin.entropy,
    "max-logit": lambda z: -z.max(),
    "energy": twin.energy,
}
every_score = pytest.mark.parametrize("name", novelty.available())
every_form = pytest.mark.parametrize("over", ["leaves", "children"])


def drawn(size: int, seed: int = 0) -> torch.Tensor:
    return 3 * torch.randn(4, size, generator=torch.Generator().manual_seed(seed))


@settings(deadline=None, max_examples=40)
@given(ragged_taxonomies())
def test_over_leaves_equals_the_twin(taxonomy: Taxonomy) -> None:
    logits = drawn(taxonomy.num_leaves)
    for name, measure in MEASURES.items():
        with case(name, taxonomy):
            found = novelty.make(name)(LeafSoftmax(taxonomy, logits))
            expected = [twin.over_leaves(taxonomy, row, measure) for row in logits.double().numpy()]
            np.testing.assert_allclose(found.numpy(), np.array(expected), atol=2e-5, rtol=2e-5)


@settings(deadline=None, max_examples=40)
@given(ragged_taxonomies())
def test_over_children_equals_the_twin(taxonomy: Taxonomy) -> None:
    logits = drawn(taxonomy.num_nodes)
    prediction = NodeSigmoid(taxonomy, logits[:, 1:])
    for name, measure in MEASURES.items():
        with case(name, taxonomy):
            found = novelty.make(name, over="children")(prediction)
            given_by = prediction.log_prob if name in ("max-share", "entropy") else logits
            expected = [twin.over_children(taxonomy, row, measure) for row in given_by.double().numpy()]
            np.testing.assert_allclose(found.numpy(), np.array(expected), atol=2e-5, rtol=2e-5)


@settings(deadline=None, max_examples=40)
@given(ragged_taxonomies())
def test_own_mass_equals_the_twin(taxonomy: Taxonomy) -> None:
    prediction = NodeSoftmax(taxonomy, drawn(taxonomy.num_nodes))
    for row, image in enumerate(prediction.node_logits.double().softmax(-1).numpy()):
        of_inner = np.where(taxonomy.is_leaf, 0, image)
        whole = twin.probability_under(taxonomy, image)
        at = twin.inner(taxonomy)
        leaves = np.log((twin.probability_under(taxonomy, of_inner) / whole)[at])
        direct = np.log((image / whole)[at])
        np.testing.assert_allclose(novelty.OwnMass()(prediction)[row].numpy(), leaves, atol=1e-4)
        np.testing.assert_allclose(novelty.OwnMass("children")(prediction)[row].numpy(), direct, atol=1e-4)


@every_score
@every_form
def test_scores_are_finite_for_every_head_and_size(name: str, over: str) -> None:
    score = novelty.make(name, over=over)
    for kind in KINDS:
        for taxonomy in (RAGGED, STAR, CHAIN):
            for scale in (1e4, 1.0, 0.0):
                with case(kind, taxonomy, scale):
                    signs = torch.randn(5, width(kind, taxonomy), generator=torch.Generator().manual_seed(1)).sign()
                    for dtype in (torch.float32, torch.float16):
                        found = score(KINDS[kind](taxonomy, (scale * signs).to(dtype)))  # type: ignore[call-arg]
                        assert found.shape == (5, len(tree_index(taxonomy, "cpu").inner_nodes))
                        assert found.isfinite().all()
                        assert found.dtype == torch.float32


@every_score
@every_form
def test_the_root_alone_has_the_same_score(name: str, over: str) -> None:
    score = novelty.make(name, over=over)
    for kind in KINDS:
        for taxonomy in (RAGGED, STAR, CHAIN):
            with case(kind, taxonomy):
                prediction = random_prediction(kind, taxonomy, 5, dtype=torch.float32)
                torch.testing.assert_close(score.at_root(prediction), score(prediction)[:, 0], atol=1e-5, rtol=1e-5)


@every_score
@every_form
def test_images_and_siblings_may_come_in_any_order(name: str, over: str) -> None:
    score = novelty.make(name, over=over)
    for seed in range(3):
        taxonomy, number = reordered(RAGGED, seed)
        place = number[RAGGED.leaf_nodes]
        logits = drawn(RAGGED.num_leaves, seed)
        order = np.argsort(place)
        before = score(LeafSoftmax(RAGGED, logits))
        after = score(LeafSoftmax(taxonomy, logits[:, order]))
        by_node = dict(zip(number[tree_index(RAGGED, "cpu").inner_nodes.numpy()].tolist(), before.T, strict=True))
        for node, values in zip(tree_index(taxonomy, "cpu").inner_nodes.tolist(), after.T, strict=True):
            torch.testing.assert_close(values, by_node[node])
        torch.testing.assert_close(score(LeafSoftmax(RAGGED, logits.flip(0))), before.flip(0))
        grid = score(LeafSoftmax(RAGGED, logits.reshape(2, 2, -1)))
        torch.testing.assert_close(grid.flatten(0, 1), before)


@every_form
@settings(deadline=None, max_examples=30)
@given(taxonomy=ragged_taxonomies(), level=st.floats(-50, 50))
def test_equally_unlikely_is_the_most_surprising(over: str, taxonomy: Taxonomy, level: float) -> None:
    """Whatever the common score is: shares are equal, so entropy and surprise are the log of the number."""
    prediction = NodeSigmoid(taxonomy, torch.full((1, taxonomy.num_nodes - 1), level))
    at = twin.inner(taxonomy)
    flat = LeafSoftmax(taxonomy, torch.full((1, taxonomy.num_leaves), level))
    count = taxonomy.num_leaves_under[at] if over == "leaves" else taxonomy.num_children[at]
    for name in ("max-share", "entropy"):
        found = novelty.make(name, over=over)(flat if over == "leaves" else prediction)
        np.testing.assert_allclose(found[0].numpy(), np.log(count), atol=1e-4)


def test_a_uniform_shift_changes_raw_scores_only() -> None:
    logits = drawn(RAGGED.num_leaves)
    for name in ("max-share", "entropy", "max-logit", "energy"):
        score = novelty.make(name)
        change = score(LeafSoftmax(RAGGED, logits + 5)) - score(LeafSoftmax(RAGGED, logits))
        expected = torch.full_like(change, -5.0 if name in ("max-logit", "energy") else 0.0)
        torch.testing.assert_close(change, expected, atol=1e-4, rtol=0)


def test_a_softmax_per_level_gives_its_raw_scores() -> None:
    levels = tuple(range(1, RAGGED.num_levels + 1))
    for tied in (False, True):
        logits = drawn(level_width(RAGGED, levels, tied=tied))
        prediction = LevelSoftmax(RAGGED, logits, levels, tied)
        raw = prediction.raw_leaf_scores()
        torch.testing.assert_close(raw.log_softmax(-1), prediction.leaf_scores())
        torch.testing.assert_close(novelty.MaxLogit()(prediction)[:, 0], -raw.amax(-1))


def test_a_lone_root_has_no_inner_node() -> None:
    for name in novelty.available():
        for kind in KINDS:
            if width(kind, LONE):
                assert novelty.make(name)(random_prediction(kind, LONE, 3)).shape == (3, 0)
    assert novelty.make("entropy")(random_prediction("LeafSoftmax", LONE, 3)).shape == (3, 0)


def test_mistakes_are_one_line() -> None:
    with pytest.raises(InputError, match="entropy"):
        novelty.make("entrop")
    with pytest.raises(InputError, match="leaves, children"):
        novelty.make("entropy", over="siblings")
    with pytest.raises(InputError, match="leaves or children"):
        novelty.Entropy("siblings")  # type: ignore[arg-type]
