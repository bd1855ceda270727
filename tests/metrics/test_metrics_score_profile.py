"""Profiles of scores: additive, without labels, and silent about what is small or due to chance."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from cladewise import Taxonomy
from cladewise.decisions import Leaf, Majority
from cladewise.errors import InputError
from cladewise.metrics import ScoreProfile
from cladewise.predictions import LeafSoftmax, Prediction
from reference.given_predictions import KINDS, random_prediction
from reference.laws import CHAIN, LONE, RAGGED, STAR, case

TREE = Taxonomy.from_paths([(f"o{i % 3}", f"f{i % 9}", f"s{i}") for i in range(36)], level_names=["o", "f", "s"])


def drawn(count: int, seed: int, scale: float = 4.0) -> LeafSoftmax:
    generator = torch.Generator().manual_seed(seed)
    return LeafSoftmax(TREE, scale * torch.randn(count, 36, generator=generator))


def equal(one: ScoreProfile, other: ScoreProfile) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one.tensors().values(), other.tensors().values(), strict=True))


def test_profiles_of_parts_add_up_in_any_order() -> None:
    for kind in KINDS:
        for tree in (RAGGED, STAR, CHAIN, LONE):
            prediction = random_prediction(kind, tree, 20, dtype=torch.float32)
            order = torch.randperm(20, generator=torch.Generator().manual_seed(0))
            with case(kind, tree):
                whole = ScoreProfile.of(prediction)
                shuffled = prediction[order]
                assert equal(whole, ScoreProfile.of(shuffled[:7]) + ScoreProfile.of(shuffled[7:]))
                assert equal(whole, ScoreProfile.from_tensors(whole.tensors()))
                assert whole.num_images == 20
                assert (whole.confidence.sum(-1) == 20).all()
                assert not whole.drift(whole, tree).is_there


def test_counts_are_those_of_a_loop() -> None:
    prediction = drawn(50, 0)
    answer = Majority()(prediction)
    found = ScoreProfile.of(prediction, answer)
    best = [int(v) for v in prediction.best_leaf().node]
    assert found.classes.tolist() == [best.count(v) for v in TREE.leaf_nodes.tolist()]
    levels = [int(TREE.level[v]) for v in answer.node.tolist()]  # type: ignore[union-attr]
    assert found.depths.tolist() == [levels.count(k) for k in range(4)]


def test_scores_of_one_distribution_do_not_differ() -> None:
    differs = [
        ScoreProfile.of(drawn(400, seed)).drift(ScoreProfile.of(drawn(400, 1000 + seed)), TREE).is_there
        for seed in range(50)
    ]
    assert sum(differs) <= 1


def test_what_differs_is_told() -> None:
    usual = ScoreProfile.of(drawn(400, 0), Leaf()(drawn(400, 0)))
    flat = drawn(400, 1, scale=1.0)
    text = usual.drift(ScoreProfile.of(flat, Majority()(flat)), TREE).text
    assert "less certain of o (KS" in text
    assert "less certain of s (KS" in text
    assert "answers at other levels (" in text
    assert "classes" not in text
    sure = usual.drift(ScoreProfile.of(drawn(400, 1, scale=30.0)), TREE).text
    assert "more certain of s" in sure
    one_class = LeafSoftmax(TREE, drawn(400, 2).logits + 9 * torch.eye(36)[0])
    assert "other shares of classes (" in usual.drift(ScoreProfile.of(one_class), TREE).text


def test_many_images_do_not_make_a_trifle_matter() -> None:
    before = ScoreProfile.of(drawn(2000, 0))
    factor = 1000
    many = ScoreProfile(*(factor * counts for counts in before.tensors().values()))
    shifted = ScoreProfile.of(LeafSoftmax(TREE, 1.03 * drawn(2000, 0).logits))
    now = ScoreProfile(*(factor * counts for counts in shifted.tensors().values()))
    drift = many.drift(now, TREE)
    assert min(one.p_value for one in drift.confidence.values()) < 1e-6
    assert max(one.size for one in drift.confidence.values()) < 0.1
    assert not drift.is_there


def test_levels_of_many_nodes_are_counted_at_a_coarser_one() -> None:
    tree = Taxonomy.from_paths([(f"g{i // 10}", f"s{i}") for i in range(2000)])
    prediction: Prediction = LeafSoftmax(tree, torch.randn(5, 2000))
    found = ScoreProfile.of(prediction)
    assert found.classes.shape == (200,)
    genus = np.searchsorted(tree.level_nodes(1), tree.parents[prediction.best_leaf().node.numpy()])
    assert found.classes.nonzero().squeeze(1).tolist() == sorted(set(genus.tolist()))


def test_scores_over_another_tree_are_refused() -> None:
    with pytest.raises(InputError, match="scores over the same tree"):
        ScoreProfile.of(drawn(3, 0)).drift(ScoreProfile.of(random_prediction("LeafSoftmax", STAR, 3)), TREE)
