from __future__ import annotations

import dataclasses
import math
import warnings

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from cladewise.decisions import Climbing, HedgedMajority, Leaf, climbing_sequence
from cladewise.errors import InputError
from cladewise.predictions import LeafSoftmax, Prediction
from cladewise.taxonomy import Taxonomy
from reference import conformal_twin
from reference.given_predictions import KINDS, random_prediction
from reference.optimal_twin import path
from reference.small_trees import ragged_taxonomies


def climb(taxonomy: Taxonomy, log_prob: list[float], threshold: float) -> int:
    """From the first of the best leaves up, one node at a time."""
    best = max(map(int, taxonomy.leaf_nodes), key=lambda leaf: (log_prob[leaf], -leaf))
    return next((v for v in path(taxonomy, best) if log_prob[v] > threshold), 0)


def fit(rule: Climbing, prediction: Prediction, target: Tensor) -> Climbing:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # few images promise little
        return rule.fit(prediction, target)


@given(ragged_taxonomies(), st.sampled_from(sorted(KINDS)), st.integers(0, 10**6))
@settings(max_examples=40)
def test_agrees_with_climbing_node_by_node(taxonomy: Taxonomy, kind: str, seed: int) -> None:
    prediction = random_prediction(kind, taxonomy, 6, seed=seed)
    sequence = climbing_sequence(prediction)
    for threshold in (-math.inf, -2.0, math.log(0.5), -0.1, math.inf):
        rule = Climbing(threshold=threshold)
        for i, node in enumerate(rule(prediction).node.tolist()):
            assert node == climb(taxonomy, prediction.log_prob[i].tolist(), threshold)
            points = slice(int(sequence.offsets[i]), int(sequence.offsets[i + 1]))
            above = sequence.node[points][sequence.log_prob[points] > threshold].tolist()
            assert node == (above[-1] if above else 0)


@given(
    ragged_taxonomies(),
    st.sampled_from(sorted(KINDS)),
    st.sampled_from([0.5, 0.7, 0.9]),
    st.integers(0, 10**6),
)
@settings(max_examples=50)
def test_each_image_calibrated_on_the_others_is_right_often_enough(
    taxonomy: Taxonomy, kind: str, guarantee: float, seed: int
) -> None:
    """Exchangeability without chance: averaged over which of the images is the new one, the promise holds exactly."""
    count = 12
    prediction = random_prediction(kind, taxonomy, count, seed=seed)
    target = torch.randint(taxonomy.num_nodes, (count,), generator=torch.Generator().manual_seed(seed))
    right = 0
    for new in range(count):
        others = torch.arange(count) != new
        rule = fit(Climbing(guarantee, confidence=None), prediction[others], target[others])
        right += conformal_twin.covers(taxonomy, rule(prediction[new]).node.reshape(1).tolist(), int(target[new]))
    assert right >= guarantee * count - 1e-9


@given(ragged_taxonomies(), st.sampled_from(sorted(KINDS)), st.integers(0, 10**6))
@settings(max_examples=30)
def test_the_fitted_threshold_is_the_least_that_has_the_rank(taxonomy: Taxonomy, kind: str, seed: int) -> None:
    prediction = random_prediction(kind, taxonomy, 40, seed=seed)
    target = torch.randint(taxonomy.num_nodes, (40,), generator=torch.Generator().manual_seed(seed))
    rule = Climbing(0.8, confidence=None).fit(prediction, target)
    assert rule.threshold is not None

    def number_right(threshold: float) -> int:
        nodes = dataclasses.replace(rule, threshold=threshold)(prediction).node.tolist()
        return sum(conformal_twin.covers(taxonomy, [v], int(t)) for v, t in zip(nodes, target, strict=True))

    assert number_right(rule.threshold) >= 33  # of 41, as the new one counts as wrong
    if math.isfinite(rule.threshold):
        assert number_right(math.nextafter(rule.threshold, -math.inf)) < 33


def test_with_confidence_it_is_the_least_threshold_that_clopper_and_pearson_accept() -> None:
    """One threshold after another, each accepted or not by its exact bound: the same one is found."""
    taxonomy = Taxonomy.from_paths([(a, a + b) for a in "abcd" for b in "xyz"])
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(300, 12, generator=generator, dtype=torch.float64) * 3
    target = torch.as_tensor(taxonomy.leaf_nodes.copy())[
        torch.multinomial(logits.softmax(1), 1, generator=generator)[:, 0]
    ]
    prediction = LeafSoftmax(taxonomy, logits)
    sure, average = Climbing(0.8).fit(prediction, target), Climbing(0.8, confidence=None).fit(prediction, target)
    assert sure.threshold is not None
    assert average.threshold is not None
    assert average.threshold < sure.threshold
    hedged = HedgedMajority(0.8).fit(prediction, target)
    assert hedged.caution == pytest.approx(math.exp(sure.threshold), abs=0.02)  # on one path from one half up


def test_too_few_images_and_extreme_scores() -> None:
    taxonomy = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
    prediction = LeafSoftmax(taxonomy, 1e4 * torch.eye(3).repeat(3, 1))
    with pytest.warns(UserWarning, match="9 images are too few. It takes 29"):
        rule = Climbing().fit(prediction, torch.tensor([2, 3, 4] * 3))
    assert rule(prediction).node.tolist() == [0] * 9
    certain = Climbing(0.9, confidence=None).fit(prediction, torch.tensor([2, 3, 4] * 3))
    assert certain(prediction).node.tolist() == [2, 3, 4] * 3
    wrong = Climbing(0.9, confidence=None).fit(prediction, torch.tensor([3, 4, 2] * 3))
    assert wrong(prediction).node.tolist() == [0] * 9


@pytest.mark.parametrize("options", [{"guarantee": 1.0}, {"guarantee": 0.0}, {"confidence": 1.0}])
def test_wrong_options(options: dict[str, float]) -> None:
    with pytest.raises(InputError, match="between 0 and 1"):
        Climbing(**options)
    with pytest.raises(InputError, match="as many targets"):
        Climbing().fit(random_prediction("LeafSoftmax", Taxonomy.from_paths([("a",), ("b",)]), 3), torch.tensor([1]))


def test_the_promise_is_kept_by_answers_at_or_above_the_label() -> None:
    taxonomy = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
    prediction = LeafSoftmax(taxonomy, torch.tensor([[0.9, 0.05, 0.05]]).log().expand(4, 3))
    rule, target = Climbing(0.8, threshold=-0.5), torch.tensor([2, 1, 4, 0])
    assert rule(prediction).node.tolist() == [2] * 4
    assert rule.promises(taxonomy) == (("", 0.8),)
    assert rule.kept(prediction, rule(prediction), target).tolist() == [[1, 4]]
    assert Leaf().promises(taxonomy) == ()
    assert Leaf().kept(prediction, Leaf()(prediction), target).tolist() == []
