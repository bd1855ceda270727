from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from cladewise.decisions import LabelSets, LevelNodes, Levels, Nodes
from cladewise.errors import InputError
from cladewise.metrics import (
    HitAtK,
    LabelCounts,
    Reliability,
    at_levels,
    level_correct,
    level_rank,
    weighted_level_accuracy,
)
from cladewise.metrics.label_counts import AVERAGES
from cladewise.ops import speaks
from cladewise.predictions import LeafSoftmax, LevelSoftmax, NodeSigmoid, Prediction, level_width
from cladewise.taxonomy import Taxonomy
from reference import curves_twin, metrics_twin
from reference.small_trees import ragged_taxonomies, t9, t9_nodes


def nodes(*breadth_first: int) -> Tensor:
    return torch.tensor(t9_nodes(*breadth_first))


def draw(taxonomy: Taxonomy, seed: int, images: int = 12) -> tuple[Tensor, Tensor, torch.Generator]:
    generator = torch.Generator().manual_seed(seed)
    decided, target = torch.randint(taxonomy.num_nodes, (2, images), generator=generator)
    return decided, target, generator


# ---------------------------------------------------------------- label counts


@given(ragged_taxonomies(), st.integers(0, 10**6))
@settings(max_examples=12)
def test_counts_agree_with_sets(taxonomy: Taxonomy, seed: int) -> None:
    for kind in ("nodes", "levels", "sets"):
        counts_agree_with_sets(taxonomy, seed, kind)


def counts_agree_with_sets(taxonomy: Taxonomy, seed: int, kind: str) -> None:
    decided, target, generator = draw(taxonomy, seed)
    vocabulary = curves_twin.vocabulary(taxonomy)
    if kind == "nodes":
        answer = Nodes(decided, torch.zeros(12))
        said = [curves_twin.labels_of(taxonomy, v) for v in decided.tolist()]
    elif kind == "levels":
        levels = [torch.tensor(taxonomy.level_nodes(k)) for k in curves_twin.levels(taxonomy)]
        chosen = torch.stack([v[torch.randint(len(v), (12,), generator=generator)] for v in levels], -1)
        answer = LevelNodes(chosen, torch.zeros(chosen.shape))
        said = [set(enumerate(row, start=1)) for row in chosen.tolist()]
    else:
        chosen = torch.rand(12, taxonomy.num_nodes, generator=generator) < 0.4
        answer = LabelSets(chosen, torch.zeros(chosen.shape))
        said = [{label for label in vocabulary if row[label[1]]} for row in chosen.tolist()]
    true = [curves_twin.labels_of(taxonomy, v) for v in target.tolist()]
    silent = [
        {k for k in curves_twin.levels(taxonomy) if not curves_twin.speaks(taxonomy, v, k)} for v in target.tolist()
    ]
    said = [{label for label in s if label[0] not in gone} for s, gone in zip(said, silent, strict=True)]

    counts = LabelCounts(taxonomy)
    counts.update(answer, target)
    values = {name: value.item() for name, value in counts.compute().items()}
    for level, name in enumerate(taxonomy.level_names, start=1):
        of_level = [label for label in vocabulary if label[0] == level]
        expected = {f"{n}/{name}": x for n, x in curves_twin.averages(of_level, said, true).items()}
        assert {n: values[n] for n in expected} == pytest.approx(expected)
    assert {n: values[n] for n in AVERAGES} == pytest.approx(curves_twin.averages(vocabulary, said, true))
    assert [len(x) for x in (counts.true_positive, counts.false_positive)] == [len(vocabulary)] * 2


@given(ragged_taxonomies(), st.integers(0, 10**6))
@settings(max_examples=18)
def test_micro_f1_of_one_node_a_level_is_the_mean_level_accuracy(taxonomy: Taxonomy, seed: int) -> None:
    _, _, generator = draw(taxonomy, seed)
    leaves = torch.tensor(taxonomy.leaf_nodes.tolist())
    decided, target = (leaves[torch.randint(len(leaves), (20,), generator=generator)] for _ in range(2))
    counts = LabelCounts(taxonomy)
    counts.update(Nodes(decided, torch.zeros(20)), target)
    values = counts.compute()
    accuracy = level_correct(at_levels(decided, taxonomy), target, taxonomy).double().mean(0)
    for name, expected in zip(taxonomy.level_names, accuracy, strict=True):
        torch.testing.assert_close(values[f"micro_f1/{name}"], expected)
    for name in ("micro_f1", "micro_precision", "micro_recall"):
        torch.testing.assert_close(values[name], accuracy.mean())


def test_golden_published_mean() -> None:
    # a published table of a head that answers every level: its m-F1 is the mean of its four level accuracies
    assert sum([0.9887, 0.9758, 0.9273, 0.7972]) / 4 == pytest.approx(0.9223, abs=1e-4)


def test_a_node_says_nothing_below_itself() -> None:
    counts = LabelCounts(t9())
    counts.update(Nodes(nodes(1), torch.zeros(1)), nodes(4))
    values = counts.compute()
    assert (values["micro_precision"], values["micro_recall"]) == (1, pytest.approx(1 / 3))
    assert values["micro_f1"].item() == pytest.approx(0.5)
    assert values["micro_f1/level_2"] == 0


def test_a_silent_label_blames_nothing() -> None:
    counts = LabelCounts(t9())
    counts.update(Nodes(nodes(4, 7), torch.zeros(2)), nodes(1, 0))
    assert counts.compute()["micro_precision"] == 1
    assert int(counts.said.sum()) == 1


# ---------------------------------------------------------------- hits


@given(ragged_taxonomies(), st.integers(0, 10**6))
@settings(max_examples=18)
def test_ranks_agree_with_a_sort(taxonomy: Taxonomy, seed: int) -> None:
    _, target, generator = draw(taxonomy, seed)
    logits = torch.randn(
        12, level_width(taxonomy, tuple(curves_twin.levels(taxonomy)), tied=False), generator=generator
    )
    prediction = LevelSoftmax(taxonomy, logits.round())
    ranks = level_rank(prediction, target)
    for k in curves_twin.levels(taxonomy):
        of_level, log_prob = prediction.level_log_prob(k)
        for i, label in enumerate(target.tolist()):
            order = sorted(range(len(of_level)), key=lambda j: (-log_prob[i, j].item(), j))
            place = [int(of_level[j]) for j in order]
            speaking = curves_twin.speaks(taxonomy, label, k)
            expected = place.index(metrics_twin.representative(taxonomy, label, k)) if speaking else -1
            assert ranks[i, k - 1].nan_to_num(-1) == expected
    hits = HitAtK(taxonomy, ks=(1, 3))
    hits.update(prediction, target)
    values = hits.compute()
    for k in (1, 3):
        by_level = ((ranks < k).double().masked_fill(ranks.isnan(), torch.nan)).nanmean(0)
        torch.testing.assert_close(values[f"hit@{k}"], by_level.nanmean(), equal_nan=True)
    first = level_correct(Levels()(prediction).node, target, taxonomy).double().nanmean(0)
    torch.testing.assert_close(values["hit@1"], first.nanmean(), equal_nan=True)


# ---------------------------------------------------------------- calibration


@given(ragged_taxonomies(), st.integers(0, 10**6), st.sampled_from([1, 4, 15]))
@settings(max_examples=25)
def test_calibration_agrees_bin_by_bin(taxonomy: Taxonomy, seed: int, bins: int) -> None:
    _, target, generator = draw(taxonomy, seed)
    prediction = NodeSigmoid(taxonomy, torch.randn(12, taxonomy.num_nodes - 1, generator=generator) * 2)
    reliability = Reliability(taxonomy, bins)
    reliability.update(prediction, target)
    curves = reliability.compute()
    answer, counted = Levels()(prediction), speaks(target, taxonomy)
    right = answer.node == at_levels(target, taxonomy)
    for k, name in enumerate(taxonomy.level_names):
        here, curve = counted[:, k], curves[name]
        confidence = answer.log_prob[here, k].double().exp().tolist()
        assert int(curve.count.sum()) == len(confidence)
        assert len(curve.to_dict()["confidence"]) == bins
        if confidence:
            expected = curves_twin.calibration(confidence, right[here, k].tolist(), bins)
            assert (curve.ece, curve.mce) == pytest.approx(expected, abs=1e-9)


def test_golden_calibration() -> None:
    taxonomy = Taxonomy.from_paths([("a",), ("b",)], level_names=["kind"])
    p = torch.tensor([[0.9, 0.1], [0.9, 0.1], [0.6, 0.4], [1.0, 0.0]], dtype=torch.float64)
    reliability = Reliability(taxonomy, bins=10)
    reliability.update(LeafSoftmax(taxonomy, p.log()), torch.tensor([1, 2, 2, 1]))
    curve = reliability.compute()["kind"]
    assert curve.ece == pytest.approx((2 * 0.4 + 0.6 + 0) / 4)
    assert curve.mce == pytest.approx(0.6)
    assert curve.to_dict()["count"] == [0, 0, 0, 0, 0, 1, 0, 0, 2, 1]
    assert curve.to_dict()["accuracy"][:6] == [None] * 5 + [0]


def test_no_image_is_no_number() -> None:
    curve = Reliability(t9()).compute()["level_1"]
    assert curve.ece != curve.ece
    assert curve.mce != curve.mce
    assert HitAtK(t9()).compute()["hit@1"].isnan()
    assert LabelCounts(t9()).compute()["micro_f1"] == 0


# ---------------------------------------------------------------- levels weighed


def test_levels_weigh_by_their_nodes() -> None:
    sizes = [len(t9().level_nodes(k)) for k in (1, 2, 3)]
    assert sizes == [3, 4, 5]
    accuracy = torch.tensor([[1.0, 0.5, 0.2], [1.0, 0.5, torch.nan]])
    found = weighted_level_accuracy(accuracy, t9())
    assert found.tolist() == pytest.approx([(3 + 2 + 1) / 12, (3 + 2) / 7])


# ---------------------------------------------------------------- all of them


def shaped(prediction: Prediction, shape: tuple[int, ...]) -> Prediction:
    return prediction.map(lambda value: value.view(*shape, -1))


@pytest.mark.parametrize("make", [HitAtK, Reliability])
def test_any_batch_shape(make) -> None:
    prediction, target = LeafSoftmax(t9(), torch.randn(6, 5)), nodes(3, 4, 5, 7, 1, 0)
    flat, square = make(t9()), make(t9())
    flat.update(prediction, target)
    square.update(shaped(prediction, (2, 3)), target.view(2, 3))
    for name in flat._defaults:
        assert torch.equal(getattr(flat, name), getattr(square, name))


def test_counts_of_any_batch_shape() -> None:
    decided, target, _ = draw(t9(), 0)
    sets = torch.nn.functional.one_hot(decided, 9).bool()
    flat, square = LabelCounts(t9()), LabelCounts(t9())
    for counts, shape in ((flat, (12,)), (square, (3, 4))):
        counts.update(Nodes(decided.view(shape), torch.zeros(shape)), target.view(shape))
        counts.update(LabelSets(sets.view(*shape, 9), torch.zeros(*shape, 9)), target.view(shape))
    assert flat.compute() == square.compute()


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: HitAtK(t9(), ks=(0,)), r"at least 1, but got \(0,\)"),
        (lambda: Reliability(t9(), bins=0), "at least one bin, but got 0"),
        (lambda: weighted_level_accuracy(torch.zeros(2), t9()), r"each of 3 levels, but got shape \[2\]"),
        (
            lambda: LabelCounts(t9()).update(Nodes(nodes(1), torch.zeros(1)), nodes(1, 2)),
            r"answer \[1\], target \[2\]",
        ),
    ],
)
def test_mistakes_are_named(call, text: str) -> None:
    with pytest.raises(InputError, match=text):
        call()
