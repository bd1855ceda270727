"""The decision between known and new classes: its promise, its places, and its shape."""

from __future__ import annotations

import dataclasses
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings

from cladewise import Taxonomy
from cladewise.decisions import Leaf, Majority, NewClass, place_under
from cladewise.errors import InputError
from cladewise.predictions import LeafSoftmax, Prediction
from reference import novelty_twin as twin
from reference.given_predictions import KINDS, random_prediction
from reference.laws import CHAIN, LONE, RAGGED, REAL_ROOT, STAR, case
from reference.small_trees import ragged_taxonomies

TREES = (RAGGED, STAR, CHAIN, REAL_ROOT)


def drawn(taxonomy: Taxonomy, images: int, seed: int = 0, scale: float = 2.0) -> LeafSoftmax:
    generator = torch.Generator().manual_seed(seed)
    return LeafSoftmax(taxonomy, scale * torch.randn(images, taxonomy.num_leaves, generator=generator))


def leaves(prediction: Prediction) -> torch.Tensor:
    return Leaf()(prediction).node


def test_what_is_new_is_at_an_inner_node_and_the_rest_as_the_known_rule_says() -> None:
    for kind in KINDS:
        for taxonomy in TREES:
            prediction = random_prediction(kind, taxonomy, 40, seed=3, dtype=torch.float32)
            for known, rule in (("leaf", Leaf()), ("majority", Majority())):
                with case(kind, taxonomy, known):
                    decide = NewClass(known=known)  # type: ignore[arg-type]
                    middle = float(decide.surprise(prediction).median())
                    answer = dataclasses.replace(decide, threshold=middle)(prediction)
                    assert answer.new is not None
                    assert answer.new.equal(decide.surprise(prediction) > middle)
                    assert not taxonomy.is_leaf[answer.node[answer.new].numpy()].any()
                    assert answer.node[~answer.new].equal(rule(prediction).node[~answer.new])
                    expected = prediction.log_prob.gather(-1, answer.node[:, None])[:, 0]
                    torch.testing.assert_close(answer.log_prob, expected, atol=1e-5, rtol=1e-5)


@settings(deadline=None, max_examples=40)
@given(ragged_taxonomies())
def test_the_place_is_the_inner_node_nearest_to_the_truth_on_average(taxonomy: Taxonomy) -> None:
    prediction = drawn(taxonomy, 5)
    inner = twin.inner(taxonomy)
    for image, place in enumerate(place_under(prediction, 0.5).tolist()):
        own = prediction.own_log_prob[image].double().exp().numpy()
        lengths = twin.expected_path_lengths(taxonomy, own)
        # an inner node above an only inner child may be as near, and the child is preferred
        assert lengths[place] <= lengths[inner].min() + 1e-5
        assert place in inner


def test_at_most_the_share_of_known_images_is_called_new_in_nineteen_of_twenty_fits() -> None:
    """The law of the order statistic, by simulation: 400 fits on 120 images, each tried on very many."""
    many = drawn(STAR, 60_000, seed=1)
    rule, trials = NewClass(share=0.1), 400
    surprise = rule.surprise(many)
    broken = 0
    for fit in range(trials):
        rows = torch.arange(fit * 120, (fit + 1) * 120)
        part = many[rows]
        learnt = rule.fit(part, leaves(part))
        assert learnt.threshold is not None
        broken += int((surprise > learnt.threshold).double().mean() > 0.1)
    assert broken / trials < 0.05 + 3 * (0.05 * 0.95 / trials) ** 0.5
    assert broken > 0  # it is not more careful than it has to be


def test_the_threshold_is_the_order_statistic() -> None:
    prediction = drawn(RAGGED, 100)
    target = leaves(prediction)
    learnt = NewClass(share=0.05).fit(prediction, target)
    surprise = learnt.surprise(prediction).sort(descending=True).values
    # P(X <= 1 | 100, 0.05) = 0.037, P(X <= 2) = 0.118
    assert learnt.threshold == float(surprise[1])
    again = NewClass(share=0.05).fit(prediction[torch.randperm(100)], target)
    assert again.threshold == learnt.threshold


def test_too_few_images_call_nothing_new_and_say_how_many_it_takes() -> None:
    prediction = drawn(RAGGED, 58)
    with pytest.warns(UserWarning, match=r"takes 59 images of leaves, and there are 58"):
        learnt = NewClass(share=0.05).fit(prediction, leaves(prediction))
    answer = learnt(drawn(RAGGED, 50, seed=2, scale=1e-3))
    assert answer.new is not None
    assert not answer.new.any()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        more = drawn(RAGGED, 59)
        assert NewClass(share=0.05).fit(more, leaves(more)).threshold == float(NewClass().surprise(more).max())


def test_images_of_inner_nodes_are_not_known_ones() -> None:
    prediction = drawn(RAGGED, 200)
    target = leaves(prediction)
    surprise = NewClass().surprise(prediction)
    unsure = surprise > surprise.quantile(0.7)
    coarse = torch.where(unsure, 0, target)
    all_known, sure = (NewClass(share=0.1).fit(prediction, labels) for labels in (target, coarse))
    assert sure.threshold is not None
    assert all_known.threshold is not None
    assert sure.threshold < all_known.threshold
    with pytest.raises(InputError, match="known leaves"):
        NewClass().fit(prediction, torch.zeros_like(target))


def test_extreme_scores_have_answers() -> None:
    for scale in (1e4, 0.0):
        for taxonomy in TREES:
            prediction = drawn(taxonomy, 80, scale=scale)
            answer = NewClass().fit(prediction, leaves(prediction))(prediction)
            assert answer.log_prob.isfinite().all()
            assert answer.new is not None
            assert answer.new.float().mean() <= 0.05


def test_a_lone_root_is_never_new() -> None:
    prediction = random_prediction("LeafSoftmax", LONE, 80)
    answer = NewClass().fit(prediction, torch.zeros(80, dtype=torch.int64))(prediction)
    assert answer.new is not None
    assert not answer.new.any()
    assert answer.node.equal(torch.zeros(80, dtype=torch.int64))


def test_only_children_are_skipped_for_what_is_below_them() -> None:
    tree = Taxonomy.from_paths([("a", "b", "c"), ("a", "b", "d"), ("e", "f")])
    sure = LeafSoftmax(tree, torch.tensor([[0.6, 0.3, 0.1], [0.1, 0.1, 0.8]]).log())
    assert [tree.path_name(v) for v in place_under(sure, 0.5).tolist()] == ["a/b", "e"]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"share": 0.0}, "share of the known images"),
        ({"place": 1.0}, "place"),
        ({"known": "root"}, "leaf or majority"),
        ({"score": "entrpy"}, "entropy"),
        ({"over": "nodes"}, "leaves, children"),
    ],
)
def test_mistakes_are_one_line(options: dict[str, object], told: str) -> None:
    with pytest.raises(InputError, match=told):
        NewClass(**options)  # type: ignore[arg-type]


def test_the_batch_keeps_its_shape() -> None:
    prediction = drawn(RAGGED, 12)
    decide = NewClass(threshold=float(np.median(NewClass().surprise(prediction).numpy())))
    flat, grid = decide(prediction), decide(prediction.map(lambda x: x.unflatten(0, (3, 4))))
    assert flat.new is not None
    assert grid.new is not None
    assert grid.node.flatten().equal(flat.node)
    assert grid.new.flatten().equal(flat.new)
    assert grid.log_prob.shape == (3, 4)
