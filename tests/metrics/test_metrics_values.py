from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from cladewise.decisions import LabelSets, Leaf, LevelNodes, Nodes
from cladewise.errors import InputError
from cladewise.metrics import (
    RANKING_LENGTH,
    answer_columns,
    at_levels,
    cpb,
    depth_scores,
    full_path,
    hd_at_k,
    hierarchical_distance,
    information_scores,
    level_correct,
    mistake_severity,
    score_answer,
    sibling,
    tice,
    top_k,
    truncate,
)
from cladewise.predictions import LeafSoftmax
from cladewise.taxonomy import Taxonomy
from reference import metrics_twin
from reference.small_trees import T9_THETA, ragged_taxonomies, reordered, t9, t9_nodes, t9_order


def nodes(*breadth_first: int) -> Tensor:
    return torch.tensor(t9_nodes(*breadth_first))


# ---------------------------------------------------------------- golden values


def test_golden_distances_between_leaves() -> None:
    leaves = nodes(3, 4, 5, 7, 8)
    expected = [[0, 3, 3, 3, 3], [3, 0, 1, 3, 3], [3, 1, 0, 3, 3], [3, 3, 3, 0, 1], [3, 3, 3, 1, 0]]
    found = hierarchical_distance(leaves[:, None].expand(5, 5), leaves.expand(5, 5), t9())
    assert found.tolist() == expected


def test_golden_ranking_distances() -> None:
    prediction = LeafSoftmax(t9(), torch.tensor(T9_THETA)[t9_order()][t9().leaf_nodes.copy()])
    ranking, target = prediction.ranking(RANKING_LENGTH), nodes(4)[0]
    assert ranking.tolist()[:2] == nodes(5, 7).tolist()
    assert hd_at_k(ranking, target, 1, t9()) == 1
    assert hd_at_k(ranking, target, 2, t9()) == 2
    assert score_answer(Leaf()(prediction), ranking, target, t9())["hd@1"] == 1


def test_golden_scores_of_shared_paths() -> None:
    target, predicted = nodes(5, 5, 5, 5, 8), nodes(4, 1, 5, 0, 2)
    scores = information_scores(predicted, target, t9())
    shared = math.log2(2.5) / math.log2(5)
    assert scores.recall.tolist() == pytest.approx([shared, shared, 1, 0, shared])
    assert scores.precision.tolist() == pytest.approx([shared, 1, 1, 1, 1])
    assert scores.f1.tolist() == pytest.approx([0.569323, 0.725565, 1, 0, 0.725565], abs=1e-6)
    assert scores.correct.tolist() == [0, 1, 1, 1, 1]
    only_child = information_scores(nodes(6), nodes(8), t9())  # says what its parent 2 says
    assert [x.item() for x in only_child] == pytest.approx([shared, 1, 0.725565, 1], abs=1e-6)
    depth = depth_scores(torch.cat([predicted, nodes(6)]), torch.cat([target, nodes(8)]), t9())
    assert depth.recall.tolist() == pytest.approx([1 / 2, 1 / 2, 1, 0, 1 / 3, 2 / 3])
    assert depth.precision.tolist() == pytest.approx([1 / 2, 1, 1, 1, 1, 1])
    assert depth.f1.tolist() == pytest.approx([1 / 2, 2 / 3, 1, 0, 1 / 2, 4 / 5])


def test_golden_correctly_predicted_bits() -> None:
    predicted, target = nodes(5, 1, 2, 6, 0, 4, 7), nodes(5, 5, 7, 7, 7, 5, 2)
    assert cpb(predicted, target, t9()).tolist() == pytest.approx([1, 3 / 5, 3 / 5, 3 / 5, 0, 0, 3 / 5])


def test_golden_published_severity() -> None:
    # cross-entropy on tieredImageNet-H and on iNaturalist 2019: top-1, hd@1 and severity of one row belong together
    for top1, distance, severity in ((0.6880, 2.2039, 7.0637), (0.5971, 0.9592, 2.3808)):
        assert (1 - top1) * severity == pytest.approx(distance, abs=2e-4)


def test_distances_at_internal_nodes() -> None:
    predicted, target = nodes(1, 4, 6, 7, 2, 0, 7), nodes(4, 1, 2, 2, 7, 7, 6)
    assert hierarchical_distance(predicted, target, t9()).tolist() == [1, 0, 0, 0, 2, 3, 0]
    assert mistake_severity(torch.tensor([0.0, 1.5])).nan_to_num(-1).tolist() == [-1, 1.5]


def test_truncation_only_below_the_label() -> None:
    assert truncate(nodes(4, 1, 2, 0), nodes(1, 4, 3, 0), t9()).tolist() == nodes(1, 1, 2, 0).tolist()


def test_siblings() -> None:
    predicted, target = nodes(5, 4, 3, 6, 7, 0, 2, 8), nodes(4, 4, 7, 5, 2, 3, 3, 6)
    assert sibling(predicted, target, t9()).tolist() == [1, 1, 0, 0, 1, 0, 1, 1]


def test_rank_of_a_hit_counts() -> None:
    ranking = nodes(5, 4, 7).expand(2, 3)
    assert top_k(ranking, nodes(4, 2), 1, t9()).tolist() == [0, 0]
    assert top_k(ranking, nodes(4, 2), 2, t9()).tolist() == [1, 0]
    assert top_k(ranking, nodes(4, 2), 9, t9()).tolist() == [1, 1]


def test_levels_of_a_ragged_tree() -> None:
    # a leaf at depth 1 represents itself at every level; an internal label is silent about finer levels
    correct = level_correct(at_levels(nodes(3, 7, 8, 5, 0), t9()), nodes(3, 8, 2, 3, 3), t9())
    expected = [[1, 1, 1], [1, 1, 0], [1, -1, -1], [0, 0, 0], [0, 0, 0]]
    assert correct.nan_to_num(-1).tolist() == expected
    assert full_path(correct).tolist() == [1, 0, 1, 0, 0]


def test_a_label_at_the_root_speaks_of_no_level() -> None:
    columns = score_answer(Nodes(nodes(4), torch.zeros(1)), nodes(4)[None], nodes(0), t9())
    silent = [name for name, column in columns.items() if column.isnan().all()]
    assert silent == [*(f"level_accuracy/level_{k}" for k in (1, 2, 3)), "severity", "full_path"]
    assert columns["top1"] == 1


def test_levels_that_disagree() -> None:
    decided = torch.tensor([t9_nodes(1, 4, 4), t9_nodes(2, 4, 4), t9_nodes(1, 5, 4), t9_nodes(3, 3, 3)])
    assert tice(decided, t9()).tolist() == [0, 1, 1, 0]
    assert tice(at_levels(nodes(0, 1, 6, 8), t9()), t9()).tolist() == [0, 0, 0, 0]
    answer = LevelNodes(decided, torch.zeros(4, 3))
    columns = score_answer(answer, decided, nodes(4, 4, 4, 4), t9())
    assert columns["top1"].tolist() == [1, 1, 1, 0]
    assert columns["full_path"].tolist() == [1, 0, 0, 0]
    assert columns["level_accuracy/level_1"].tolist() == [1, 0, 1, 0]


# ---------------------------------------------------------------- laws


def draw_batch(taxonomy: Taxonomy, seed: int, *, by_level: bool) -> tuple[Nodes | LevelNodes, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    n = taxonomy.num_nodes

    def random(*shape: int) -> Tensor:
        return torch.randint(n, shape, generator=generator)

    ranking = torch.stack([torch.randperm(n, generator=generator)[:RANKING_LENGTH] for _ in range(12)])
    if by_level:
        level_nodes = [torch.as_tensor(taxonomy.level_nodes(k + 1)) for k in range(taxonomy.num_levels)]
        chosen = torch.stack([v[random(12) % len(v)] for v in level_nodes], -1)
        return LevelNodes(chosen, torch.zeros(chosen.shape)), ranking, random(12)
    return Nodes(random(12), torch.zeros(12)), ranking, random(12)


batches = {"taxonomy": ragged_taxonomies(), "seed": st.integers(0, 10**6), "by_level": st.booleans()}


@given(**batches)
@settings(max_examples=24)
def test_agree_with_one_image_at_a_time(taxonomy: Taxonomy, seed: int, by_level: bool) -> None:
    answer, ranking, target = draw_batch(taxonomy, seed, by_level=by_level)
    columns = score_answer(answer, ranking, target, taxonomy)
    assert tuple(columns) == answer_columns(taxonomy)
    for i in range(len(target)):
        expected = metrics_twin.evaluate(taxonomy, answer.node[i].tolist(), ranking[i].tolist(), int(target[i]))
        found = {name: column[i].item() for name, column in columns.items()}
        assert found == pytest.approx(expected, nan_ok=True, rel=1e-6)


@given(**batches)
@settings(max_examples=14)
def test_neither_numbering_nor_batch_order_matters(taxonomy: Taxonomy, seed: int, by_level: bool) -> None:
    answer, ranking, target = draw_batch(taxonomy, seed, by_level=by_level)
    moved, number = reordered(taxonomy, seed)
    order = torch.randperm(len(target), generator=torch.Generator().manual_seed(seed))
    by_number = torch.as_tensor(number)
    same = type(answer)(by_number[answer.node][order], answer.log_prob[order])
    before = score_answer(answer, ranking, target, taxonomy)
    after = score_answer(same, by_number[ranking][order], by_number[target][order], moved)
    for name, column in before.items():
        torch.testing.assert_close(after[name], column[order], equal_nan=True)


@given(**batches)
@settings(max_examples=20)
def test_metrics_hang_together(taxonomy: Taxonomy, seed: int, by_level: bool) -> None:
    answer, ranking, target = draw_batch(taxonomy, seed, by_level=by_level)
    columns = score_answer(answer, ranking, target, taxonomy)
    error = 1 - columns["top1"].mean()
    severity = columns["severity"].nanmean().nan_to_num(0.0)
    torch.testing.assert_close(columns["hd@1"].mean(), severity * error)
    assert (columns["sibling"] >= columns["top1"]).all()
    levels = torch.stack([columns[f"level_accuracy/{name}"] for name in taxonomy.level_names])
    lowest = levels.nan_to_num(2.0).amin(0)
    assert (columns["full_path"].nan_to_num(0.0) <= lowest).all()
    if not by_level:
        assert (columns["tice"] == 0).all()


@given(ragged_taxonomies(), st.integers(0, 10**6))
@settings(max_examples=15)
def test_one_leaf_decided_loses_accuracy_towards_finer_levels(taxonomy: Taxonomy, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    leaves = torch.tensor(taxonomy.leaf_nodes.tolist())
    predicted, target = (leaves[torch.randint(len(leaves), (20,), generator=generator)] for _ in range(2))
    columns = score_answer(Nodes(predicted, torch.zeros(20)), predicted[:, None], target, taxonomy)
    levels = torch.stack([columns[f"level_accuracy/{name}"] for name in taxonomy.level_names])
    assert (levels.diff(dim=0) <= 0).all()
    assert torch.equal(columns["full_path"], levels[-1])
    assert torch.equal(columns["full_path"], columns["top1"])
    torch.testing.assert_close(hierarchical_distance(predicted, target, taxonomy), columns["hd@1"])
    torch.testing.assert_close(hierarchical_distance(target, predicted, taxonomy), columns["hd@1"])


@given(ragged_taxonomies())
@settings(max_examples=15)
def test_levels_are_the_taxonomys(taxonomy: Taxonomy) -> None:
    found = at_levels(torch.arange(taxonomy.num_nodes), taxonomy)
    for k in range(taxonomy.num_levels):
        assert found[:, k].tolist() == taxonomy.at_level(k + 1).tolist()


def test_any_batch_shape() -> None:
    taxonomy = t9()
    answer, ranking, target = draw_batch(taxonomy, 0, by_level=False)
    flat = score_answer(answer, ranking, target, taxonomy)
    folded = score_answer(
        Nodes(answer.node.view(3, 4), answer.log_prob.view(3, 4)), ranking.view(3, 4, -1), target.view(3, 4), taxonomy
    )
    alone = score_answer(Nodes(answer.node[0], answer.log_prob[0]), ranking[0], target[0], taxonomy)
    for name, column in flat.items():
        torch.testing.assert_close(folded[name].flatten(), column, equal_nan=True)
        torch.testing.assert_close(alone[name], column[0], equal_nan=True)
    none = score_answer(Nodes(target[:0], torch.zeros(0)), ranking[:0], target[:0], taxonomy)
    assert {column.shape for column in none.values()} == {(0,)}


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (LabelSets(torch.zeros(2, 9, dtype=torch.bool), torch.zeros(2, 9)), "one node per level, but got LabelSets"),
        (Nodes(torch.zeros(3, dtype=torch.int64), torch.zeros(3)), r"got answer \[3\], target \[2\], ranking \[2, 4\]"),
        (LevelNodes(torch.zeros(2, 2, dtype=torch.int64), torch.zeros(2, 2)), r"each of 3 levels, but got shape"),
    ],
)
def test_mistakes_are_named(answer: Nodes | LevelNodes | LabelSets, text: str) -> None:
    with pytest.raises(InputError, match=text):
        score_answer(answer, torch.zeros(2, 4, dtype=torch.int64), torch.zeros(2, dtype=torch.int64), t9())
