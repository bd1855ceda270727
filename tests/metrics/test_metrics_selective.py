from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cladewise.decisions import Climbing, OperatingPoint, ParetoSequence, climbing_sequence, pareto_sequence
from cladewise.metrics import OperatingCurves, measure, operating_curve, risk_interval, specificity
from cladewise.predictions import LeafSoftmax
from cladewise.taxonomy import Taxonomy
from reference import conformal_twin
from reference.given_predictions import KINDS, random_prediction
from reference.small_trees import ragged_taxonomies

TREE = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d", "e"), ("d", "f")])


def area(coverage: list[float], risk: list[float]) -> float:
    """Area by trapezoids from the origin, point by point."""
    points = sorted(zip([0.0, *coverage], [0.0, *risk], strict=True), key=lambda point: point[0])
    return sum((b[0] - a[0]) * (a[1] + b[1]) / 2 for a, b in itertools.pairwise(points))


@given(ragged_taxonomies(), st.sampled_from(sorted(KINDS)), st.integers(0, 10**6))
@settings(max_examples=30)
def test_the_curve_is_that_of_the_rule_at_every_threshold(taxonomy: Taxonomy, kind: str, seed: int) -> None:
    prediction = random_prediction(kind, taxonomy, 8, seed=seed, dtype=torch.float32)
    leaves = torch.as_tensor(taxonomy.leaf_nodes.copy())
    target = leaves[torch.randint(len(leaves), (8,), generator=torch.Generator().manual_seed(seed))]
    curve = operating_curve(climbing_sequence(prediction), target, taxonomy, measure="specificity")
    for place, threshold in enumerate(curve.threshold.tolist()):
        if place == 0 or threshold <= 1e-6:
            continue
        node = Climbing(threshold=math.nextafter(math.log(threshold), -math.inf) - 1e-6)(prediction).node
        right = [conformal_twin.covers(taxonomy, [int(v)], int(t)) for v, t in zip(node, target, strict=True)]
        assert curve.recall[place].item() == pytest.approx(specificity(node, taxonomy).mean().item(), abs=1e-5)
        assert curve.correct[place].item() == pytest.approx(np.mean(right), abs=1e-6)
    coverage, risk = curve.recall.tolist(), (1 - curve.correct).tolist()
    assert curve.risk_area == pytest.approx(area(coverage, risk), abs=1e-9)
    assert all(later >= earlier - 1e-9 for earlier, later in itertools.pairwise(coverage))


def test_golden() -> None:
    """By hand: both images go from the root to the middle and on to a leaf; the second is wrong from there on.

    The leaves have probabilities .5 and .4, the middle .8 and .7: coverage and risk are (0, 0), (1/4, 0), (1/2, 0),
    (3/4, 0) and (1, 1/2), of which the last step has the area 1/4 x 1/4.
    """
    p = torch.tensor([[0.5, 0.3, 0.1, 0.1], [0.4, 0.3, 0.2, 0.1]])
    prediction, target = LeafSoftmax(TREE, p.log()), torch.tensor([2, 3])
    for sequence in (climbing_sequence(prediction), pareto_sequence(prediction)):
        curve = operating_curve(sequence, target, TREE, measure="specificity")
        assert curve.recall.tolist() == pytest.approx([0, 0.25, 0.5, 0.75, 1.0])
        assert curve.correct.tolist() == [1, 1, 1, 1, 0.5]
        assert curve.risk_area == pytest.approx(1 / 16)
        interval = risk_interval(sequence, target, TREE)
        assert interval.value == pytest.approx(1 / 16)
        assert interval.low == 0  # the first image twice
        assert interval.high == pytest.approx(1 / 4)  # the second twice: from the middle to a leaf, always wrong
    found = measure(prediction, target)
    assert found["haurc"] == found["haurc_threshold"] == pytest.approx(1 / 16)


def test_certain_and_wrong_is_not_free() -> None:
    """Leaves with all probability are answered at every threshold; the way there counts as a straight line."""
    prediction = LeafSoftmax(TREE, 1e4 * torch.eye(4))
    curve = operating_curve(climbing_sequence(prediction), torch.tensor([3, 2, 6, 5]), TREE, measure="specificity")
    assert curve.recall.tolist() == [1.0]
    assert curve.risk_area == pytest.approx(0.5)
    right = operating_curve(climbing_sequence(prediction), torch.tensor([2, 3, 5, 6]), TREE, measure="specificity")
    assert right.risk_area == 0


def test_climbing_and_a_threshold_part_below_one_half() -> None:
    """A leaf elsewhere is the best one: climbing goes up from it, a threshold takes the more informative node."""
    tree = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d", "e"), ("d", "f"), ("d", "g")])
    prediction = LeafSoftmax(tree, torch.tensor([[0.36, 0.04, 0.2, 0.2, 0.2]]).log())
    assert climbing_sequence(prediction).node.tolist() == [0, 1, 2]
    assert pareto_sequence(prediction).node.tolist() == [0, 4, 1, 2]
    assert int(Climbing(threshold=math.log(0.5))(prediction).node) == 0
    assert int(OperatingPoint(0.5)(prediction).node) == 4


@given(st.integers(0, 10**6))
@settings(max_examples=10)
def test_streams_and_long_curves_agree_with_one_batch(seed: int) -> None:
    prediction = random_prediction("NodeSoftmax", TREE, 30, seed=seed, dtype=torch.float32)
    target = torch.randint(TREE.num_nodes, (30,), generator=torch.Generator().manual_seed(seed))
    whole = operating_curve(climbing_sequence(prediction), target, TREE, measure="specificity")
    stream = OperatingCurves(TREE, measure="specificity")
    for part in (slice(0, 7), slice(7, 30)):
        stream.add(climbing_sequence(prediction[part]), target[part])
    assert stream.compute().risk_area == whole.risk_area
    interval = risk_interval(climbing_sequence(prediction), target, TREE)
    assert interval.low <= interval.value <= interval.high
    assert interval == risk_interval(climbing_sequence(prediction), target, TREE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("cladewise.metrics.resampling.STEPS_KEPT", 1)
        long = risk_interval(climbing_sequence(prediction), target, TREE)
    assert (long.low, long.high) == pytest.approx((interval.low, interval.high), abs=1e-9)


def test_no_image_has_no_area() -> None:
    none = ParetoSequence(torch.zeros(0, dtype=torch.int64), torch.zeros(0), torch.zeros(1, dtype=torch.int64))
    interval = risk_interval(none, torch.zeros(0, dtype=torch.int64), TREE)
    assert math.isnan(interval.value)
    assert interval.count == 0
