"""Metrics that count every ancestor, against sets of ancestors; those of plain trees do not change by a bit."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cladewise.decisions import LevelNodes, Nodes
from cladewise.metrics import RANKING_LENGTH, answer_columns, measure, score_answer
from cladewise.predictions import LeafSoftmax
from cladewise.taxonomy import Taxonomy
from reference.graph_metrics_twin import Graph
from strategies import graph_taxonomies

KITCHEN = Taxonomy(
    [-1, 0, 1, 1, 0, 4, 4],
    ["", "fruit", "apple", "fig", "vegetable", "tomato", "kale"],
    level_names=["group", "kind"],
    further_parents=[(5, 1)],
)
DOCUMENTED = Path(__file__).parents[2] / "docs" / "metrics.md"
FRUIT, APPLE, FIG, VEGETABLE, TOMATO, KALE = range(1, 7)


def draw_batch(
    taxonomy: Taxonomy, seed: int, *, by_level: bool
) -> tuple[Nodes | LevelNodes, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    n = taxonomy.num_nodes

    def random(*shape: int) -> torch.Tensor:
        return torch.randint(n, shape, generator=generator)

    ranking = torch.stack([torch.randperm(n, generator=generator)[:RANKING_LENGTH] for _ in range(16)])
    if by_level and taxonomy.num_levels:
        level_nodes = [torch.tensor(taxonomy.level_nodes(k + 1)) for k in range(taxonomy.num_levels)]
        chosen = torch.stack([v[random(16) % len(v)] for v in level_nodes], -1)
        return LevelNodes(chosen, torch.zeros(chosen.shape)), ranking, random(16)
    return Nodes(random(16), torch.zeros(16)), ranking, random(16)


@given(
    taxonomy=graph_taxonomies().filter(lambda t: t.num_nodes > 1), seed=st.integers(0, 10**6), by_level=st.booleans()
)
@settings(max_examples=60, deadline=None)
def test_agree_with_sets_of_ancestors(taxonomy: Taxonomy, seed: int, by_level: bool) -> None:
    answer, ranking, target = draw_batch(taxonomy, seed, by_level=by_level)
    columns = score_answer(answer, ranking, target, taxonomy)
    assert tuple(columns) == answer_columns(taxonomy)
    graph = Graph(taxonomy)
    for i in range(len(target)):
        expected = graph.evaluate(answer.node[i].tolist(), ranking[i].tolist(), int(target[i]))
        found = {name: column[i].item() for name, column in columns.items()}
        assert found == pytest.approx(expected, abs=1e-6, nan_ok=True)


def score(answer: int, label: int) -> dict[str, float]:
    return measure([answer], [label], KITCHEN)


def test_an_answer_above_the_label_through_a_further_parent_is_correct() -> None:
    above, elsewhere = score(FRUIT, TOMATO), score(VEGETABLE, APPLE)
    assert (above["correct"], above["level_accuracy/group"], above["depth_precision"]) == (1.0, 1.0, 1.0)
    assert (elsewhere["correct"], elsewhere["level_accuracy/group"]) == (0.0, 0.0)
    assert score(TOMATO, FRUIT)["top1"] == 1.0  # below an internal label
    assert score(FRUIT, TOMATO)["top1"] == 0.0  # as coarse as it would be for an apple


def test_two_nodes_with_a_further_parent_in_common_are_near() -> None:
    near, far = score(FIG, TOMATO), score(FIG, KALE)
    assert (near["severity"], far["severity"]) == (1.0, 2.0)
    assert (near["sibling"], far["sibling"]) == (1.0, 0.0)
    assert near["depth_recall"] == pytest.approx(1 / 3)  # fruit, of fruit, vegetable and tomato
    assert near["info_f1"] > far["info_f1"] == 0.0


def test_metrics_that_use_the_primary_tree_are_those_that_the_documentation_names() -> None:
    _, _, section = DOCUMENTED.read_text().partition("## Several parents")
    (line,) = [line for line in section.splitlines() if line.startswith("| primary tree |")]
    documented = [name.strip(" `") for name in line.split("|")[2].split(",")]
    torch.manual_seed(0)
    target = torch.randint(1, 7, (400,))
    logits = torch.randn(400, KITCHEN.num_leaves).log_softmax(-1)
    changed, names = set[str](), set[str]()
    for decision in ("leaf", "majority", "levels"):
        trees = KITCHEN, KITCHEN.primary_tree()
        whole, primary = (measure(LeafSoftmax(t, logits), target, decision=decision) for t in trees)
        changed |= {name for name in whole if whole[name] != pytest.approx(primary[name], nan_ok=True)}
        names |= set(whole)
    in_primary = {name for name in names if any(name.startswith(prefix.removesuffix("*")) for prefix in documented)}
    assert not changed & in_primary
    same_here = {"level_accuracy/kind", "tice", "top1", "top5", "leaf_top1"}  # in this tree: see the tests above
    assert names - in_primary - changed <= same_here


@given(taxonomy=graph_taxonomies().filter(lambda t: t.max_depth > 1), seed=st.integers(0, 10**6))
@settings(max_examples=20, deadline=None)
def test_an_edge_to_an_ancestor_changes_no_bit(taxonomy: Taxonomy, seed: int) -> None:
    """It adds no ancestor, but takes the general formulas rather than those of trees; siblings alone change."""
    tree = Taxonomy(taxonomy.parents, ["root", *taxonomy.names.tolist()[1:]])
    edges = [(v, int(tree.parents[tree.parents[v]])) for v in tree.nodes_by_depth[2].tolist()]
    through = Taxonomy(tree.parents, tree.names, further_parents=edges)
    assert through.has_further_parents
    answer, ranking, target = draw_batch(tree, seed, by_level=False)
    one, other = (score_answer(answer, ranking, target, t) for t in (tree, through))
    for name in set(one) - {"sibling"}:
        assert torch.equal(one[name].nan_to_num(-1.0), other[name].nan_to_num(-1.0)), name
