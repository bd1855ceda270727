from __future__ import annotations

import dataclasses
import math

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor

from cladewise.decisions import Leaf, Majority, OperatingPoint, ParetoSequence, pareto_sequence
from cladewise.errors import InputError
from cladewise.metrics import (
    OperatingCurve,
    OperatingCurves,
    curve_intervals,
    depth_scores,
    information_scores,
    operating_curve,
    score_prediction,
)
from cladewise.metrics.operating import Measure, pareto_integral
from cladewise.predictions import (
    ConditionalSigmoid,
    LeafSoftmax,
    NodeSoftmax,
    PathSumSoftmax,
    Prediction,
    SiblingSoftmax,
)
from cladewise.taxonomy import Taxonomy
from reference import curves_twin, metrics_twin
from reference.small_trees import T9_THETA, reordered, t9, t9_nodes, t9_order
from strategies import taxonomies

# a descendant softmax on the golden tree, breadth-first: no head of the library here
DESCENDANT = [1, 0.460675, 0.435718, 0.051804, 0.063273, 0.256585, 0.294901, 0.210074, 0.042413]


def golden_sequence() -> tuple[ParetoSequence, Tensor]:
    taxonomy, theta = t9(), torch.tensor(T9_THETA, dtype=torch.float64)[t9_order()]
    heads: list[Prediction] = [
        LeafSoftmax(taxonomy, theta[taxonomy.leaf_nodes.copy()][None]),
        PathSumSoftmax(taxonomy, theta[None, 1:]),
        SiblingSoftmax(taxonomy, theta[None, 1:]),
    ]
    told = NodeSoftmax(taxonomy, theta[None])
    vars(told)["log_prob"] = torch.tensor([DESCENDANT])[:, t9_order()].log()
    sequence = ParetoSequence.cat([pareto_sequence(prediction) for prediction in (*heads, told)])
    return sequence, torch.tensor(t9_nodes(5, 4, 7, 8))


def golden_curve() -> OperatingCurve:
    return operating_curve(*golden_sequence(), t9())


# ---------------------------------------------------------------- golden values


def test_golden_curve() -> None:
    curve = golden_curve()
    expected = {
        "threshold": [0.702744, 0.56373, 0.512471, 0.460675, 0.422319, 0.411096, 0.351377, 0.256585],
        "recall": [0, 0.142331, 0.142331, 0.284662, 0.284662, 0.284662, 0.392331, 0.642331, 0.642331],
        "precision": [1, 1, 0.892331, 0.892331, 0.642331, 0.392331, 0.392331, 0.642331, 0.642331],
        "correct": [1, 1, 0.75, 0.75, 0.5, 0.25, 0.25, 0.5, 0.5],
    }
    found = curve.to_dict()
    assert found.pop("threshold") == [None, *(pytest.approx(x, abs=1e-6) for x in expected.pop("threshold"))]
    for name, values in expected.items():
        assert found[name] == pytest.approx(values, abs=1e-6)
    assert curve.average_precision == pytest.approx(0.499079006, abs=1e-9)
    assert curve.average_correct == pytest.approx(0.427913576, abs=1e-9)
    at = [curve.recall_at(x) for x in (0.9, 0.75, 0.5)]
    assert at == pytest.approx([0.142331, 0.284662, 0.642331], abs=1e-6)


def test_golden_bottom_line() -> None:
    sequence, target = golden_sequence()
    leaf = sequence.node[sequence.offsets[1:] - 1]
    assert leaf.tolist() == t9_nodes(5, 5, 7, 5)
    assert information_scores(leaf, target, t9()).f1.mean().item() == pytest.approx(0.642331, abs=1e-6)
    majority = torch.tensor(t9_nodes(1, 5, 0, 0))
    f1 = information_scores(majority, target, t9()).f1
    assert f1.tolist() == pytest.approx([0.725565, 0.569323, 0, 0], abs=1e-6)
    assert f1.mean().item() == pytest.approx(0.323722, abs=1e-6)


def test_golden_area() -> None:
    a, b = torch.tensor([0.1, 0.2, 0.8]), torch.tensor([0.9, 0.5, 0.3])
    assert pareto_integral(a, b).item() == pytest.approx(0.32)
    assert pareto_integral(a.flip(0), b.flip(0)).item() == pytest.approx(0.32)
    assert pareto_integral(torch.tensor([0.5, 0.5]), torch.tensor([0.2, 0.4])).item() == pytest.approx(0.2)


def test_golden_curve_by_depth() -> None:
    """The same answers counted in edges; the labels 5, 4, 7, 8 lie at depths 2, 2, 3, 3, and the answers 1, 5 and 7."""
    curve, by_depth = golden_curve(), operating_curve(*golden_sequence(), t9(), measure="depth")
    assert by_depth.threshold[1:].equal(curve.threshold[1:])
    assert by_depth.correct.equal(curve.correct)
    assert by_depth.recall.tolist() == [0, 0.125, 0.125, 0.25, 0.25, 0.25, 0.375, 0.625, 0.625]
    assert by_depth.precision.tolist() == [1, 1, 0.875, 0.875, 0.625, 0.375, 0.375, 0.625, 0.625]
    assert by_depth.average_precision == pytest.approx((1 + 0.875 + 0.625 + 2 * 0.625) / 8)
    assert by_depth.average_correct == pytest.approx((1 + 0.75 + 0.5 + 2 * 0.5) / 8)
    assert [by_depth.recall_at(x) for x in (0.9, 0.75, 0.5)] == [0.125, 0.25, 0.625]


# ---------------------------------------------------------------- against the definition

KINDS = {LeafSoftmax: 0, NodeSoftmax: 0, SiblingSoftmax: 1, ConditionalSigmoid: 1}
WEIGHTS = {"information": metrics_twin.information, "depth": metrics_twin.depth}
SCORES = {"information": information_scores, "depth": depth_scores}
F1 = {"information": ("majority_f1", "leaf_f1"), "depth": ("majority_depth_f1", "leaf_depth_f1")}
MEASURES: tuple[Measure, ...] = ("information", "depth")
every_measure = pytest.mark.parametrize("measure", SCORES)


def draw(kind, taxonomy: Taxonomy, seed: int, images: int = 6) -> tuple[Prediction, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    width = taxonomy.num_leaves if kind is LeafSoftmax else taxonomy.num_nodes - KINDS[kind]
    logits = (torch.randn(images, width, generator=generator) * 2).round(decimals=1)
    return kind(taxonomy, logits), torch.randint(taxonomy.num_nodes, (images,), generator=generator)


def points(sequence: ParetoSequence) -> list[curves_twin.Points]:
    parts = zip(*(x.tensor_split(sequence.offsets[1:-1]) for x in (sequence.node, sequence.log_prob)), strict=True)
    return [list(zip(node.tolist(), log_prob.double().exp().tolist(), strict=True)) for node, log_prob in parts]


@given(taxonomy=taxonomies(max_nodes=14), kind=st.sampled_from(list(KINDS)), seed=st.integers(0, 10**6))
@settings(max_examples=25)
def test_agrees_with_deciding_anew_at_every_threshold(taxonomy: Taxonomy, kind, seed: int) -> None:
    for measure in MEASURES:
        agrees_with_deciding_anew(measure, *draw(kind, taxonomy, seed))


def agrees_with_deciding_anew(measure: Measure, prediction: Prediction, target: Tensor) -> None:
    taxonomy = prediction.taxonomy
    curves = OperatingCurves(taxonomy, measure=measure)
    curves.update(prediction, target)
    curve = curves.compute()
    rows = curves_twin.curve(taxonomy, points(pareto_sequence(prediction)), target.tolist(), WEIGHTS[measure])
    found = torch.stack([curve.recall, curve.precision, curve.correct], -1).tolist()
    assert found == [pytest.approx(row[1:], abs=1e-11) for row in rows]
    assert curve.threshold[1:].tolist() == [row[0] for row in rows[1:]]
    _, recall, precision, correct = zip(*rows, strict=True)
    assert curve.average_precision == pytest.approx(curves_twin.envelope_area(recall, precision))
    assert curve.average_correct == pytest.approx(curves_twin.envelope_area(recall, correct))
    for share in (0.0, 0.37, 0.7, 0.99, 1.0):
        assert curve.recall_at(share) == pytest.approx(curves_twin.recall_at(recall, correct, share))


@given(taxonomy=taxonomies(max_nodes=14), kind=st.sampled_from(list(KINDS)), seed=st.integers(0, 10**6))
@settings(max_examples=15)
def test_a_threshold_of_the_curve_gives_its_point(taxonomy: Taxonomy, kind, seed: int) -> None:
    prediction, target = draw(kind, taxonomy, seed)
    curves = {m: operating_curve(pareto_sequence(prediction), target, taxonomy, measure=m) for m in MEASURES}
    if taxonomy.num_children[0] == 1:
        del curves["depth"]  # an image then starts below the root, which edges can tell and information cannot
    thresholds = curves["information"].threshold
    assert all(torch.equal(curve.threshold[1:], thresholds[1:]) for curve in curves.values())
    for i in range(1, len(thresholds)):
        threshold = thresholds[i].item()
        if i + 1 < len(thresholds) and thresholds[i + 1] > threshold * (1 - 1e-5):
            continue  # the rule cannot tell thresholds apart that differ by rounding
        node = OperatingPoint(threshold)(prediction).node
        for measure, curve in curves.items():
            scores = SCORES[measure](node, target, taxonomy)
            for name in ("recall", "precision", "correct"):
                torch.testing.assert_close(getattr(scores, name).mean(), getattr(curve, name)[i])


# ---------------------------------------------------------------- laws


def summary(prediction: Prediction, target: Tensor, measure: Measure = "information") -> list[float]:
    """AP, AC, R@90, R@95, M-F1, L-F1 and L-Top1."""
    curve = operating_curve(pareto_sequence(prediction), target, prediction.taxonomy, measure=measure)
    columns = score_prediction(prediction, target)
    return [
        curve.average_precision,
        curve.average_correct,
        curve.recall_at(0.9),
        curve.recall_at(0.95),
        *(columns[name].double().mean().item() for name in (*F1[measure], "leaf_top1")),
    ]


@given(taxonomies(max_nodes=16), st.integers(0, 10**6), st.data())
@settings(max_examples=18)
def test_a_chain_above_a_leaf_changes_nothing(taxonomy: Taxonomy, seed: int, data: st.DataObject) -> None:
    prediction, target = draw(LeafSoftmax, taxonomy, seed)
    leaf = int(data.draw(st.sampled_from(taxonomy.leaf_nodes.tolist())))
    # the leaf keeps its number and becomes the inner node of a chain; its new child, the leaf, comes right after
    shift = [v if v <= leaf else v + 1 for v in range(taxonomy.num_nodes)]
    parents = [-1] + [shift[int(taxonomy.parents[v])] for v in range(1, taxonomy.num_nodes)]
    parents.insert(leaf + 1, leaf)
    longer = Taxonomy.from_parents(parents, [f"n{v}" for v in range(len(parents))])
    moved = torch.tensor([leaf + 1 if v == leaf else shift[v] for v in range(taxonomy.num_nodes)])
    assert longer.num_leaves == taxonomy.num_leaves
    after = summary(LeafSoftmax(longer, prediction.logits), moved[target])
    assert after == pytest.approx(summary(prediction, target), abs=1e-6)


def test_a_chain_above_a_leaf_counts_in_edges() -> None:
    """Where the answer "a" was half of the way to "a/b", it is a third of it once that has an only child."""
    short, long = (Taxonomy.from_paths([leaf, ("a", "c"), ("d",)]) for leaf in (("a", "b"), ("a", "b", "x")))
    for taxonomy, recall, right in ((short, 1 / 2, "b"), (long, 1 / 3, "x")):
        prediction = LeafSoftmax(taxonomy, torch.tensor([[0.4, 0.3, 0.3]]).log())
        target = torch.tensor([taxonomy.find(right)])
        curve = operating_curve(pareto_sequence(prediction), target, taxonomy, measure="depth")
        assert curve.recall.tolist() == pytest.approx([0, recall, 1])
        columns = score_prediction(prediction, target)
        assert columns["majority_depth_f1"].item() == pytest.approx(2 * recall / (1 + recall))
        assert columns["leaf_depth_f1"].item() == 1


@given(taxonomy=taxonomies(max_nodes=16, min_nodes=2), seed=st.integers(0, 10**6))
@settings(max_examples=12)
def test_numbering_does_not_matter(taxonomy: Taxonomy, seed: int) -> None:
    moved, number = reordered(taxonomy, seed)
    by_number = torch.as_tensor(number)
    generator = torch.Generator().manual_seed(seed)
    old = torch.randn(6, taxonomy.num_nodes, generator=generator)
    new = torch.empty_like(old)
    new[:, by_number] = old
    target = torch.randint(taxonomy.num_nodes, (6,), generator=generator)
    for measure in MEASURES:
        before = summary(NodeSoftmax(taxonomy, old), target, measure)
        assert summary(NodeSoftmax(moved, new), by_number[target], measure) == pytest.approx(before, abs=1e-6), measure


@given(taxonomy=taxonomies(max_nodes=16, min_nodes=3), data=st.data())
@settings(max_examples=12)
def test_right_and_sure_is_one_and_always_the_root_is_zero(taxonomy: Taxonomy, data: st.DataObject) -> None:
    leaves = taxonomy.leaf_nodes.tolist()
    assume(len(leaves) > 1)
    place = torch.tensor(data.draw(st.lists(st.integers(0, len(leaves) - 1), min_size=1, max_size=6)))
    target = torch.tensor(leaves)[place]
    sure = LeafSoftmax(taxonomy, torch.nn.functional.one_hot(place, len(leaves)) * 60.0)
    roots = ParetoSequence(torch.zeros_like(target), torch.zeros(len(target)), torch.arange(len(target) + 1))
    for measure in MEASURES:
        assert summary(sure, target, measure) == pytest.approx([1.0] * 7), measure
        curve = operating_curve(roots, target, taxonomy, measure=measure)
        assert curve.to_dict() == {"threshold": [None], "recall": [0.0], "precision": [1.0], "correct": [1.0]}
        assert [curve.average_precision, curve.average_correct, curve.recall_at(0.9)] == [0, 0, 0]


@every_measure
def test_labels_at_the_root_are_always_right(measure: Measure) -> None:
    prediction, _ = draw(LeafSoftmax, t9(), 0)
    target = torch.zeros(6, dtype=torch.int64)
    assert summary(prediction, target, measure) == pytest.approx([1.0] * 7)


def test_bottom_line_is_that_of_its_rules() -> None:
    prediction, target = draw(NodeSoftmax, t9(), 5, images=40)
    columns = score_prediction(prediction, target)
    for measure, names in F1.items():
        for name, rule in zip(names, (Majority(), Leaf()), strict=True):
            expected = SCORES[measure](rule(prediction).node, target, t9()).f1
            torch.testing.assert_close(columns[name], expected.float())
    leaf = Leaf()(prediction).node
    inside = torch.tensor([bool(t9().contains(int(t), int(v))) for t, v in zip(target, leaf, strict=True)])
    assert columns["leaf_top1"].tolist() == inside.float().tolist()
    assert columns["leaf_top1"].dtype == torch.float32


# ---------------------------------------------------------------- streaming


def stream(order: Tensor, batch: int, images: int = 40) -> OperatingCurves:
    prediction, target = draw(LeafSoftmax, t9(), 1, images)
    curves = OperatingCurves(t9())
    for part in order.split(batch):
        curves.update(prediction[part], target[part])
    return curves


def as_lists(curve: OperatingCurve) -> dict[str, list[float | None]]:
    return curve.to_dict()


def test_neither_batches_nor_their_order_change_a_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = as_lists(stream(torch.arange(40), 40).compute())
    for seed, batch in ((0, 1), (1, 7), (2, 40)):
        order = torch.randperm(40, generator=torch.Generator().manual_seed(seed))
        assert as_lists(stream(order, batch).compute()) == whole
        monkeypatch.setattr("cladewise.metrics.streaming.operating.MERGE_FROM", 3)
        merging = stream(order, batch)
        assert as_lists(merging.compute()) == whole
        assert sum(map(len, merging.rank)) < 2 * len(whole["recall"]) + 7 * 9


def test_reset_and_no_image() -> None:
    curves = stream(torch.arange(40), 9)
    curves.reset()
    nothing = curves.compute()
    assert nothing.to_dict() == {name: [None] for name in ("threshold", "recall", "precision", "correct")}
    assert math.isnan(nothing.average_precision)
    sure = LeafSoftmax(t9(), torch.eye(5) * 60)
    curves.update(sure, torch.tensor(t9().leaf_nodes.tolist()))
    assert curves.compute().average_precision == pytest.approx(1)


@pytest.mark.parametrize("change", [lambda m: m.half(), lambda m: m.to(torch.bfloat16), lambda m: m.to("cpu")])
def test_a_model_in_low_precision_leaves_the_sums_alone(change) -> None:
    model = torch.nn.ModuleList([stream(torch.arange(40), 9)])
    before = as_lists(model[0].compute())
    assert as_lists(change(model)[0].compute()) == before
    assert not model.state_dict()


def test_any_batch_shape() -> None:
    prediction, target = draw(LeafSoftmax, t9(), 1, 6)
    curves, shaped = OperatingCurves(t9()), OperatingCurves(t9())
    curves.update(prediction, target)
    shaped.update(LeafSoftmax(t9(), prediction.logits.view(2, 3, 5)), target.view(2, 3))
    assert as_lists(curves.compute()) == as_lists(shaped.compute())


# ---------------------------------------------------------------- the curve as a value


def test_thinned_keeps_the_ends_and_the_shape() -> None:
    curve = stream(torch.arange(300), 300, images=300).compute()
    thin = curve.thinned(25)
    assert 10 < len(thin.recall) <= 25
    assert math.isnan(thin.threshold[0])
    for name in ("recall", "precision", "correct"):
        ends = getattr(curve, name)[[0, -1]]
        assert torch.equal(getattr(thin, name)[[0, -1]], ends)
    assert thin.average_precision == pytest.approx(curve.average_precision, abs=0.05)
    whole, kept = (torch.stack([c.recall, c.precision, c.correct]).diff().abs().sum(0) for c in (curve, thin))
    assert kept.max() <= whole.sum() / 24 + whole.max()  # evenly spaced along the curve, up to one of its own steps
    assert curve.thinned(10**6) is curve
    assert len(golden_curve().thinned(2).recall) == 2


def test_images_that_agree_in_score_move_together() -> None:
    prediction, target = draw(LeafSoftmax, t9(), 3, 5)
    twice = LeafSoftmax(t9(), torch.cat([prediction.logits, prediction.logits]))
    once = operating_curve(pareto_sequence(prediction), target, t9())
    both = operating_curve(pareto_sequence(twice), torch.cat([target, target]), t9())
    assert as_lists(once) == as_lists(both)


# ---------------------------------------------------------------- intervals


@every_measure
def test_intervals_hold_the_value_and_repeat(measure: Measure) -> None:
    prediction, target = draw(LeafSoftmax, t9(), 11, 200)
    sequence = pareto_sequence(prediction)
    curve = operating_curve(sequence, target, t9(), measure=measure)
    found = curve_intervals(sequence, target, t9(), seed=3, samples=100, measure=measure)
    assert list(found) == ["ap", "ac", "r@90", "r@95"]
    assert found["ap"].value == curve.average_precision
    assert found["r@95"].value == curve.recall_at(0.95)
    for interval in (found["ap"], found["ac"]):
        assert interval.low < interval.value < interval.high
        assert interval.count == 200
    assert curve_intervals(sequence, target, t9(), seed=3, samples=100, measure=measure) == found
    assert curve_intervals(sequence, target, t9(), seed=4, samples=100, measure=measure) != found


def test_any_share_of_correctness_has_its_interval_once() -> None:
    prediction, target = draw(LeafSoftmax, t9(), 11, 60)
    sequence = pareto_sequence(prediction)
    shares = (0.5, 0.999, 0.0, 1.0, 0.5, 0.5 + 1e-13)
    found = curve_intervals(sequence, target, t9(), samples=20, recall_at=shares)
    assert list(found) == ["ap", "ac", "r@50", "r@99.9", "r@0", "r@100"]
    alone = curve_intervals(sequence, target, t9(), samples=20, recall_at=(0.999,))
    assert found["r@99.9"] == alone["r@99.9"]


def test_a_resample_is_the_curve_of_the_images_drawn() -> None:
    prediction, target = draw(LeafSoftmax, t9(), 11, 30)
    drawn = torch.randint(30, (30,), generator=torch.Generator().manual_seed(5))
    resampled = operating_curve(pareto_sequence(prediction[drawn]), target[drawn], t9())
    interval = curve_intervals(pareto_sequence(prediction), target, t9(), seed=5, samples=1, recall_at=(0.5,))
    values = {"ap": resampled.average_precision, "ac": resampled.average_correct, "r@50": resampled.recall_at(0.5)}
    for name, value in values.items():
        assert (interval[name].low, interval[name].high) == pytest.approx((value, value))


def test_fewer_points_change_little(monkeypatch: pytest.MonkeyPatch) -> None:
    prediction, target = draw(LeafSoftmax, t9(), 11, 400)
    sequence = pareto_sequence(prediction)
    fine = curve_intervals(sequence, target, t9(), samples=50)
    monkeypatch.setattr("cladewise.metrics.resampling.POINTS", 300)
    coarse = curve_intervals(sequence, target, t9(), samples=50)
    assert coarse["ap"].value == fine["ap"].value
    assert coarse["ap"].low == pytest.approx(fine["ap"].low, abs=0.01)


def test_no_image_has_no_interval() -> None:
    sequence = pareto_sequence(LeafSoftmax(t9(), torch.zeros(0, 5)))
    interval = curve_intervals(sequence, torch.zeros(0, dtype=torch.int64), t9())["ap"]
    assert interval.count == 0
    assert math.isnan(interval.value)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: golden_curve().recall_at(-0.1), r"a correctness in \[0, 1\], but got -0.1"),
        (lambda: golden_curve().recall_at(math.nan), r"a correctness in \[0, 1\], but got nan"),
        (
            lambda: operating_curve(*golden_sequence(), t9(), measure="edges"),  # type: ignore[arg-type]
            "a measure: information, depth, specificity, but got 'edges'",
        ),
        (
            lambda: OperatingCurves(t9(), measure="edges"),  # type: ignore[arg-type]
            "a measure: information, depth, specificity, but got 'edges'",
        ),
        (
            lambda: curve_intervals(*golden_sequence(), t9(), measure="edges"),  # type: ignore[arg-type]
            "a measure: information, depth, specificity, but got 'edges'",
        ),
        (
            lambda: curve_intervals(*golden_sequence(), t9(), recall_at=(2,)),
            r"a correctness in \[0, 1\], but got 2",
        ),
        (lambda: golden_curve().recall_at(95), r"a correctness in \[0, 1\], but got 95. R@95 is recall_at\(0.95\)"),
        (lambda: golden_curve().thinned(1), "at least two points, but got 1"),
        (lambda: operating_curve(golden_sequence()[0], torch.tensor([1]), t9()), r"4 images, but got shape \[1\]"),
        (lambda: curve_intervals(*golden_sequence(), t9(), samples=0), "at least one resample, but got 0"),
        (lambda: curve_intervals(*golden_sequence(), t9(), confidence=1.0), "between 0 and 1, but got 1.0"),
        (lambda: score_prediction(draw(LeafSoftmax, t9(), 0)[0], torch.tensor([1])), r"labels \[6\], but got shape"),
    ],
)
def test_mistakes_are_named(call, text: str) -> None:
    with pytest.raises(InputError, match=text):
        call()


@pytest.mark.parametrize("measure", ["information", "depth"])
def test_parts_of_images_and_steps_change_no_bit(measure: Measure, monkeypatch: pytest.MonkeyPatch) -> None:
    prediction, target = draw(LeafSoftmax, t9(), 11, 100)
    sequence = pareto_sequence(prediction)
    curve = operating_curve(sequence, target, t9(), measure=measure)
    intervals = curve_intervals(sequence, target, t9(), samples=20, measure=measure)
    monkeypatch.setattr("cladewise.metrics.operating.IMAGES_AT_ONCE", 7)
    monkeypatch.setattr("cladewise.metrics.operating.STEPS_AT_ONCE", 3)
    monkeypatch.setattr("cladewise.metrics.resampling.STEPS_AT_ONCE", 3)
    in_parts = operating_curve(sequence.compact(), target, t9(), measure=measure)
    for name, values in vars(curve).items():
        assert torch.equal(vars(in_parts)[name].nan_to_num(-1), values.nan_to_num(-1)), name
    assert curve_intervals(sequence.compact(), target, t9(), samples=20, measure=measure) == intervals


def test_images_of_a_sequence_are_a_sequence() -> None:
    prediction, _ = draw(LeafSoftmax, t9(), 11, 20)
    sequence = pareto_sequence(prediction)
    for images in (slice(3, 9), slice(0, 20), slice(18, 40), slice(5, 5)):
        part, expected = sequence[images], pareto_sequence(prediction[images])
        assert part.num_images == expected.num_images
        if expected.num_images:
            assert torch.equal(part.node, expected.node)
            assert torch.equal(part.offsets, expected.offsets)
    assert torch.equal(ParetoSequence.cat([sequence[:4], sequence[4:]]).node, sequence.node)


@pytest.mark.parametrize("measure", ["information", "depth"])
def test_a_long_curve_is_exact_where_it_is_read(measure: Measure, monkeypatch: pytest.MonkeyPatch) -> None:
    prediction, target = draw(LeafSoftmax, t9(), 11, 400)
    sequence = pareto_sequence(prediction).compact()
    curve = operating_curve(sequence, target, t9(), measure=measure)
    intervals = curve_intervals(sequence, target, t9(), samples=20, measure=measure)
    monkeypatch.setattr("cladewise.metrics.operating.IMAGES_AT_ONCE", 70)
    monkeypatch.setattr("cladewise.metrics.operating.STEPS_KEPT", 0)
    monkeypatch.setattr("cladewise.metrics.resampling.STEPS_KEPT", 0)
    whole = operating_curve(sequence, target, t9(), measure=measure)  # as many edges as steps
    for name, values in vars(curve).items():
        assert torch.equal(vars(whole)[name].nan_to_num(-1), values.nan_to_num(-1)), name
    long = curve_intervals(sequence, target, t9(), samples=20, measure=measure)
    assert long.keys() == intervals.keys()
    for name, interval in intervals.items():
        assert dataclasses.astuple(long[name]) == pytest.approx(dataclasses.astuple(interval), abs=1e-12), name
    monkeypatch.setattr("cladewise.metrics.operating.EDGES", 40)
    read = operating_curve(sequence, target, t9(), measure=measure)
    assert len(read.recall) <= 41 < len(curve.recall)
    points = {tuple(point) for point in torch.stack([curve.recall, curve.precision, curve.correct], 1).tolist()}
    assert {tuple(point) for point in torch.stack([read.recall, read.precision, read.correct], 1).tolist()} <= points
    assert (read.recall[-1], read.average_precision) == (
        curve.recall[-1],
        pytest.approx(curve.average_precision, abs=0.02),
    )
