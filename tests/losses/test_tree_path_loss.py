"""The divergence from the label's path and targets smoothed over siblings: worked values, a slow twin, and laws."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cladewise.errors import InputError
from cladewise.losses import FlatSoftmaxLoss, LevelSoftmaxLoss, TreePathLoss
from cladewise.losses.tree_path import LARGE
from cladewise.taxonomy import Taxonomy
from reference import losses_levels as reference
from reference.laws import case
from reference.loss_laws import check_extremes, check_gradients
from reference.small_trees import ragged_taxonomies
from strategies import taxonomies_with_nodes

KINDS: dict[str, dict[str, Any]] = {
    "both": {"level_weight": 1.0, "path_weight": 1.0},
    "path alone": {"level_weight": 0.0, "path_weight": 1.0},
    "siblings alone": {"level_weight": 1.0, "path_weight": 0.0, "smoothing": 0.3},
    "weighted": {"level_weight": 0.5, "path_weight": 2.0, "smoothing": 0.1},
}
TREE = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
SCORES = torch.tensor([2.0, 1.0, 3.0, 1.0, 2.0], dtype=torch.float64).log()  # a, d; b, c, and d again
RAGGED = Taxonomy.from_paths([("a", "b", "c"), ("a", "b", "d"), ("a", "e"), ("f", "g", "h"), ("i",)])


def test_golden_values_of_the_divergence() -> None:
    # the sums of the levels are 3 and 6, so of both 9; a label at a speaks of the first alone, the root of none
    target = torch.tensor([TREE.find(name) for name in "bda"] + [0])
    expected = [math.log(9 / (2 * math.sqrt(6))), math.log(9 / (2 * math.sqrt(2))), math.log(3 / 2), 0.0]
    found = TreePathLoss(TREE, level_weight=0.0, path_weight=1.0)(SCORES.expand(4, -1), target)
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_golden_values_of_the_smoothing() -> None:
    # b and c are siblings, a and d are; the d that the second level repeats has none
    target = torch.tensor([TREE.find(name) for name in "bda"] + [0])
    first = [math.log(3) - 0.8 * math.log(2), math.log(3) - 0.2 * math.log(2)]
    expected = [first[0] + math.log(6) - 0.8 * math.log(3), first[1] + math.log(3), first[0], 0.0]
    found = TreePathLoss(TREE, path_weight=0.0, smoothing=0.2)(SCORES.expand(4, -1), target)
    np.testing.assert_allclose(found, expected, atol=1e-12)


@settings(max_examples=20)
@given(tree=taxonomies_with_nodes(max_nodes=14, max_batch=4), seed=st.integers(0, 99))
def test_it_is_its_twin(tree: tuple[Taxonomy, list[int]], seed: int) -> None:
    taxonomy, nodes = tree
    for kind, chosen in KINDS.items():
        with case(kind):
            loss = TreePathLoss(taxonomy, **chosen)
            logits = 2 * np.random.default_rng(seed).standard_normal((len(nodes), loss.num_outputs))
            expected = [reference.tree_path(taxonomy, row, y, **chosen) for row, y in zip(logits, nodes, strict=True)]
            np.testing.assert_allclose(loss(torch.tensor(logits), torch.tensor(nodes)), expected, rtol=1e-9, atol=1e-9)


@settings(max_examples=20)
@given(ragged_taxonomies(), st.integers(0, 10**6))
def test_skipped_levels_are_its_twin_too(taxonomy: Taxonomy, seed: int) -> None:
    target = torch.arange(taxonomy.num_nodes)
    for kind, chosen in KINDS.items():
        with case(kind):
            loss = TreePathLoss(taxonomy, **chosen)
            logits = np.random.default_rng(seed).standard_normal((len(target), loss.num_outputs))
            rows = zip(logits, target.tolist(), strict=True)
            expected = [reference.tree_path(taxonomy, row, y, **chosen) for row, y in rows]
            np.testing.assert_allclose(loss(torch.tensor(logits), target), expected, rtol=1e-9, atol=1e-9)


def large_families() -> dict[str, Taxonomy]:
    """Trees with more siblings than are read one by one: next to each other, and with others between them."""
    star = Taxonomy.from_paths([(f"s{i}",) for i in range(LARGE + 44)])
    parents, level = [-1, 0], [0, 1]  # children of one node at the third level, and at the second one with a child
    for _ in range(LARGE + 2):
        parents += [1, 1, len(parents) + 1]
        level += [3, 2, 3]
    return {"star": star, "mixed": Taxonomy.from_parents(parents, [f"n{i}" for i in range(len(parents))], level=level)}


def test_large_families_are_in_the_order_of_columns_or_not() -> None:
    in_order = {name: TreePathLoss(taxonomy)._in_order for name, taxonomy in large_families().items()}
    assert in_order == {"star": True, "mixed": False}


@pytest.mark.parametrize("kind", KINDS)
def test_large_families_are_the_twins_too(kind: str) -> None:
    for name, taxonomy in large_families().items():
        with case(name):
            loss = TreePathLoss(taxonomy, **KINDS[kind])
            target = torch.tensor([0, 1, 2, 3, taxonomy.num_nodes // 2, taxonomy.num_nodes - 1])
            logits = torch.tensor(np.random.default_rng(0).standard_normal((len(target), loss.num_outputs)))
            logits.requires_grad_()
            rows = zip(logits.detach().numpy(), target.tolist(), strict=True)
            expected = [reference.tree_path(taxonomy, row, y, **KINDS[kind]) for row, y in rows]
            found = loss(logits, target)
            np.testing.assert_allclose(found.detach(), expected, rtol=1e-9, atol=1e-9)
            (gradient,) = torch.autograd.grad(found.sum(), logits)
            step = 1e-6 * torch.tensor(np.random.default_rng(1).standard_normal(logits.shape))
            with torch.no_grad():
                slope = (loss(logits + step, target) - loss(logits - step, target)).sum() / 2
            torch.testing.assert_close((gradient * step).sum(), slope, rtol=1e-4, atol=1e-10)


@pytest.mark.parametrize("kind", KINDS)
def test_gradients(kind: str) -> None:
    check_gradients(TreePathLoss(RAGGED, **KINDS[kind]))


@pytest.mark.parametrize("kind", KINDS)
def test_extremes_lose_no_more_than_single_precision_does(kind: str) -> None:
    check_extremes(TreePathLoss(RAGGED, **KINDS[kind]))


@settings(max_examples=20)
@given(ragged_taxonomies(), st.integers(0, 10**6))
def test_the_divergence_is_at_least_the_mean_of_the_cross_entropies(taxonomy: Taxonomy, seed: int) -> None:
    target = torch.arange(1, taxonomy.num_nodes)
    path, levels = TreePathLoss(taxonomy, level_weight=0.0), LevelSoftmaxLoss(taxonomy)
    generator = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn(len(target), path.num_outputs, generator=generator, dtype=torch.float64)
    _, says = path.label_columns(target, logits.device)
    mean = levels(logits, target) / says.sum(-1)
    assert (path(logits, target) >= mean - 1e-12).all()
    # where all levels have the same sum, one softmax over all of them is the levels' own, divided by their number
    sizes = [len(taxonomy.level_nodes(level)) for level in range(1, taxonomy.num_levels + 1)]
    alike = torch.cat([part.log_softmax(-1) for part in logits.split(sizes, dim=1)], dim=1)
    torch.testing.assert_close(path(alike, target), mean)


@settings(max_examples=20)
@given(ragged_taxonomies())
def test_the_path_alone_costs_nothing(taxonomy: Taxonomy) -> None:
    target = torch.arange(taxonomy.num_nodes)
    loss = TreePathLoss(taxonomy, level_weight=0.0)
    columns, says = loss.label_columns(target, torch.device("cpu"))
    logits = torch.full((len(target), loss.num_outputs), -1e4, dtype=torch.float64)
    row, place = torch.nonzero(says, as_tuple=True)
    logits[row, columns[row, place]] = 1.0
    torch.testing.assert_close(loss(logits, target), torch.zeros(len(target), dtype=torch.float64))


def test_without_smoothing_and_path_it_is_the_level_softmax() -> None:
    target = torch.arange(RAGGED.num_nodes)
    loss = TreePathLoss(RAGGED, path_weight=0.0)
    logits = torch.randn(len(target), loss.num_outputs, dtype=torch.float64)
    torch.testing.assert_close(loss(logits, target), LevelSoftmaxLoss(RAGGED)(logits, target))


def test_on_one_level_the_divergence_is_cross_entropy_and_the_smoothing_that_of_torch() -> None:
    star = Taxonomy.from_paths([(name,) for name in "abcde"])
    logits, target = torch.randn(5, 5, dtype=torch.float64), torch.arange(1, 6)
    path = TreePathLoss(star, level_weight=0.0)(logits, target)
    torch.testing.assert_close(path, FlatSoftmaxLoss(star)(logits, target))
    # torch spreads the mass over all five classes, ours over the four others
    theirs = torch.nn.functional.cross_entropy(logits, target - 1, reduction="none", label_smoothing=0.25)
    torch.testing.assert_close(TreePathLoss(star, path_weight=0.0, smoothing=0.2)(logits, target), theirs)


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ({"level_weight": -1.0}, "level_weight"),
        ({"path_weight": math.inf}, "path_weight"),
        ({"level_weight": 0.0, "path_weight": 0.0}, "above 0"),
        ({"smoothing": 1.0}, "smoothing"),
        ({"smoothing": math.nan}, "smoothing"),
    ],
)
def test_settings_that_mean_nothing_are_refused(chosen: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        TreePathLoss(TREE, **chosen)
