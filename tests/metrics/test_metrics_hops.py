"""The ordered preference score: values by hand, its twin, and what it promises of every ranking."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cladewise import metrics
from cladewise.errors import InputError
from cladewise.metrics import (
    OrderedPreference,
    hops,
    hops_of_order,
    measure,
    ordered_preference,
    scalar_metric,
    score_prediction,
)
from cladewise.predictions import LeafSoftmax
from cladewise.taxonomy import Taxonomy
from reference.given_predictions import FROM_HEADS, random_prediction
from reference.hops_twin import hops as twin
from strategies import taxonomies_with_nodes

FOUR = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d", "e"), ("d", "f")])
RAGGED = Taxonomy.from_paths([("a", "b", "e"), ("a", "b", "f"), ("a", "c"), ("d",), ("g", "h", "i"), ("g", "h", "j")])


def ranked(order: str) -> LeafSoftmax:
    """A prediction over the four leaves b, c, e and f that ranks them in an order."""
    return LeafSoftmax(FOUR, torch.tensor([[-float(order.index(leaf)) for leaf in "bcef"]]))


@pytest.mark.parametrize(
    ("order", "over_all", "of_two", "of_three"),
    [
        # ranks 0, 1, 2, 2 with weights 1, 1/2, 1/4, 1/8; reversed, they differ by 2, 1, 1, 2: 2 + 0.5 + 0.25 + 0.25 = 3
        ("bcef", 1.0, 1.0, 1.0),
        ("bcfe", 1.0, 1.0, 1.0),
        ("becf", 1 - 0.75 / 3, 1 - 0.5 / 1.5, 1 - 0.75 / 2.5),  # differs by 0, 1, 1, 0
        ("cbef", 1 - 1.5 / 3, 0.0, 1 - 1.5 / 2.5),  # by 1, 1, 0, 0; the best two in reverse: 1.5; the best three: 2.5
        ("ebcf", 0.0, 0.0, 0.0),  # 2 + 0.5 + 0.25 = 2.75
        ("fecb", 0.0, 0.0, 0.0),
    ],
)
def test_golden_scores_of_four_leaves_by_hand(order: str, over_all: float, of_two: float, of_three: float) -> None:
    found = hops(ranked(order), torch.tensor([2]), ks=(1, 2, 3, 4))
    expected = {"hops": over_all, "hops@1": float(order[0] == "b"), "hops@2": of_two, "hops@3": of_three}
    if order == "ebcf":
        expected["hops"] = 1 - 2.75 / 3
    assert {name: value.item() for name, value in found.items()} == pytest.approx(
        expected | {"hops@4": expected["hops"]}
    )


@settings(max_examples=80)
@given(taxonomies_with_nodes(max_nodes=16), st.integers(0, 5), st.sampled_from([torch.float32, torch.float64]))
def test_the_score_is_that_of_its_twin(case: tuple[Taxonomy, list[int]], seed: int, dtype: torch.dtype) -> None:
    taxonomy, nodes = case
    generator = torch.Generator().manual_seed(seed)
    scores = torch.randint(-2, 3, (len(nodes), taxonomy.num_leaves), generator=generator).to(dtype)  # with equals
    ks = (1, 2, 3, 5, 100)
    found = hops(LeafSoftmax(taxonomy, scores * (-1.0 if seed == 0 else 1.0)), torch.tensor(nodes), ks)
    signed = (scores * (-1.0 if seed == 0 else 1.0)).tolist()
    for k in (None, *ks):
        expected = [twin(row, node, taxonomy, k) for row, node in zip(signed, nodes, strict=True)]
        np.testing.assert_allclose(found["hops" if k is None else f"hops@{k}"], expected, atol=1e-6)


@pytest.mark.parametrize("kind", FROM_HEADS)
def test_the_best_leaf_alone_gives_its_accuracy(kind: str) -> None:
    prediction = random_prediction(kind, RAGGED, 40)
    target = torch.randint(RAGGED.num_nodes, (40,), generator=torch.Generator().manual_seed(1))
    columns = hops(prediction, target, ks=(1,))
    np.testing.assert_array_equal(columns["hops@1"], score_prediction(prediction, target)["leaf_top1"])
    assert ((columns["hops"] >= 0) & (columns["hops"] <= 1)).all()


@settings(max_examples=40)
@given(taxonomies_with_nodes(max_nodes=14))
def test_a_ranking_by_the_tree_is_right_and_its_reverse_is_not(case: tuple[Taxonomy, list[int]]) -> None:
    taxonomy, nodes = case
    for node in nodes:
        close = torch.tensor([float(taxonomy.depth[taxonomy.lca(node, int(leaf))]) for leaf in taxonomy.leaf_nodes])
        right = hops(LeafSoftmax(taxonomy, close[None]), torch.tensor([node]), ks=(1, 2, 5))
        assert all(value.item() == 1 for value in right.values())
        wrong = hops(LeafSoftmax(taxonomy, -close[None]), torch.tensor([node]), ks=(1, 2, 5))
        if len(set(close.tolist())) > 1:
            assert wrong["hops"].item() == pytest.approx(0.0, abs=1e-6)
            assert wrong["hops@1"].item() == 0


def test_only_the_order_of_scores_matters() -> None:
    scores = torch.randn(30, RAGGED.num_leaves, generator=torch.Generator().manual_seed(2))
    target = torch.randint(RAGGED.num_nodes, (30,), generator=torch.Generator().manual_seed(3))
    plain = hops(LeafSoftmax(RAGGED, scores), target)
    for other in (1e4 * scores, 1e-4 * scores - 3, scores.double()):
        for name, value in hops(LeafSoftmax(RAGGED, other), target).items():
            np.testing.assert_array_equal(value, plain[name])
    zeros = torch.zeros(1, 4)
    signed = torch.tensor([[-0.0, 0.0, -0.0, 0.0]])
    assert hops(LeafSoftmax(FOUR, signed), torch.tensor([3])) == hops(LeafSoftmax(FOUR, zeros), torch.tensor([3]))


def test_only_children_and_skipped_levels_change_nothing() -> None:
    chained = Taxonomy.from_paths(
        [("x", "a", "b", "b1"), ("x", "a", "c"), ("x", "d", "d1", "e"), ("x", "d", "d1", "f")]
    )
    scores = torch.randn(20, 4, generator=torch.Generator().manual_seed(4))
    position = torch.randint(4, (20,), generator=torch.Generator().manual_seed(5))
    plain, other = (
        hops(LeafSoftmax(t, scores), torch.tensor(t.leaf_nodes)[position], ks=(2, 3)) for t in (FOUR, chained)
    )
    for name, value in plain.items():
        np.testing.assert_array_equal(value, other[name])


@pytest.mark.parametrize("kind", FROM_HEADS)
def test_the_order_of_a_prediction_scores_as_the_prediction_does(kind: str) -> None:
    prediction = random_prediction(kind, RAGGED, 20)
    target = torch.randint(RAGGED.num_nodes, (20,), generator=torch.Generator().manual_seed(10))
    of_order = hops_of_order(prediction.leaf_ranking(RAGGED.num_leaves), target, RAGGED, ks=(1, 3))
    for name, value in hops(prediction, target, ks=(1, 3)).items():
        np.testing.assert_array_equal(value, of_order[name])


def test_mean_distances_do_not_see_the_order_that_the_score_sees() -> None:
    one, other = ranked("becf"), ranked("bcef")
    target = torch.tensor([2])
    assert measure(one, target)["hd@5"] == measure(other, target)["hd@5"]
    assert measure(one, target)["hops"] < measure(other, target)["hops"] == 1


def test_parts_and_batch_shapes_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    scores = torch.randn(2, 5, RAGGED.num_leaves, generator=torch.Generator().manual_seed(6))
    target = torch.randint(RAGGED.num_nodes, (2, 5), generator=torch.Generator().manual_seed(7))
    whole = hops(LeafSoftmax(RAGGED, scores), target)
    monkeypatch.setattr(ordered_preference, "CELLS_AT_ONCE", 2 * RAGGED.num_leaves)
    for name, value in hops(LeafSoftmax(RAGGED, scores), target).items():
        assert value.shape == (2, 5)
        np.testing.assert_array_equal(value, whole[name])
    none = hops(LeafSoftmax(RAGGED, scores[:0]), target[:0])
    assert [value.shape for value in none.values()] == [(0, 5)] * 3


def test_streaming_over_batches() -> None:
    scores = torch.randn(9, RAGGED.num_leaves, generator=torch.Generator().manual_seed(8))
    target = torch.randint(RAGGED.num_nodes, (9,), generator=torch.Generator().manual_seed(9))
    expected = hops(LeafSoftmax(RAGGED, scores), target, ks=(2, 5, 20))
    stream, single = OrderedPreference(RAGGED, ks=(2,)), scalar_metric("hops@2", RAGGED)
    for rows in (slice(0, 4), slice(4, 9)):
        stream.update(LeafSoftmax(RAGGED, scores[rows]), target[rows])
        single.update(LeafSoftmax(RAGGED, scores[rows]), target[rows])
    assert stream.compute()["hops"].item() == pytest.approx(expected["hops"].mean().item(), abs=1e-7)
    assert single.compute().item() == pytest.approx(expected["hops@2"].mean().item(), abs=1e-7)
    assert single.higher_is_better
    both = metrics.collection(["hops", "hops@5", "hops@20"], RAGGED)
    both.update(LeafSoftmax(RAGGED, scores), target)
    of_all = measure(LeafSoftmax(RAGGED, scores), target)
    assert {name: value.item() for name, value in both.compute().items()} == pytest.approx(
        {name: of_all[name] for name in ("hops", "hops@5", "hops@20")}, abs=1e-7
    )


def test_bad_input() -> None:
    prediction = LeafSoftmax(FOUR, torch.zeros(1, 4))
    with pytest.raises(InputError, match=r"labels \[1\], but got shape"):
        hops(prediction, torch.tensor([2, 2]))
    for ks in ((0,), (3, -1)):
        with pytest.raises(InputError, match="at least 1"):
            hops(prediction, torch.tensor([2]), ks)
    with pytest.raises(InputError, match=r"orders \[\*batch, 4\] of all leaves"):
        hops_of_order(torch.tensor([[2, 3]]), torch.tensor([2]), FOUR)
    with pytest.raises(InputError, match="hops@<k>"):
        scalar_metric("hops@0", FOUR)
