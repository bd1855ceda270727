from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cladewise.decisions import LabelSets
from cladewise.errors import InputError
from cladewise.metrics import score_set, set_columns, set_tips, specificity
from cladewise.taxonomy import Taxonomy
from reference import conformal_twin, metrics_twin
from reference.optimal_twin import path
from reference.small_trees import ragged_taxonomies


def slow(taxonomy: Taxonomy, nodes: list[int], target: int) -> dict[str, float]:
    """The scores of one set."""
    tips = [v for v in nodes if not any(v != u and v in path(taxonomy, u) for u in nodes)] or [0]
    leaves = set[int]().union(*(conformal_twin.leaves_under(taxonomy, v) for v in tips))
    values = {"set_coverage": float(conformal_twin.covers(taxonomy, tips, target))}
    for level, name in enumerate(taxonomy.level_names, start=1):
        wanted = metrics_twin.representative(taxonomy, target, level)
        told = taxonomy.level[target] >= level or not len(taxonomy.children(target))
        here = any(metrics_twin.representative(taxonomy, v, level) == wanted for v in tips)
        right = here or conformal_twin.covers(taxonomy, tips, wanted)
        values[f"set_coverage/{name}"] = float(right) if told else math.nan
    total = taxonomy.num_leaves
    share = 1 - math.log(len(leaves)) / math.log(total) if total > 1 else 1.0
    return {**values, "set_nodes": len(tips), "set_leaves": len(leaves), "specificity": share}


@given(ragged_taxonomies(), st.floats(0, 1), st.integers(0, 10**6))
@settings(max_examples=50)
def test_agree_with_one_set_at_a_time(taxonomy: Taxonomy, density: float, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    chosen = torch.rand(8, taxonomy.num_nodes, generator=generator) < density
    target = torch.randint(taxonomy.num_nodes, (8,), generator=generator)
    values = score_set(LabelSets(chosen, torch.zeros(chosen.shape)), target, taxonomy)
    assert tuple(values) == set_columns(taxonomy)
    for i in range(8):
        found = {name: column[i].item() for name, column in values.items()}
        expected = slow(taxonomy, chosen[i].nonzero()[:, 0].tolist(), int(target[i]))
        assert found == pytest.approx(expected, nan_ok=True, abs=1e-6)


@given(ragged_taxonomies())
@settings(max_examples=20)
def test_a_set_of_one_path_is_as_specific_as_its_node(taxonomy: Taxonomy) -> None:
    nodes = torch.arange(taxonomy.num_nodes)
    chosen = torch.zeros(len(nodes), len(nodes), dtype=torch.bool)
    for node in range(len(nodes)):
        chosen[node, path(taxonomy, node)] = True
    assert set_tips(chosen, taxonomy).nonzero()[:, 1].equal(nodes)
    values = score_set(LabelSets(chosen, torch.zeros(chosen.shape)), nodes, taxonomy)
    assert values["specificity"].equal(specificity(nodes, taxonomy))
    assert values["set_coverage"].all()


def test_any_shape_of_batch_and_none() -> None:
    taxonomy = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
    chosen = torch.rand(2, 3, 5, generator=torch.Generator().manual_seed(0)) < 0.5
    target = torch.tensor([[2, 3, 4], [1, 0, 2]])
    flat = score_set(LabelSets(chosen.flatten(0, 1), torch.zeros(6, 5)), target.flatten(), taxonomy)
    for name, values in score_set(LabelSets(chosen, torch.zeros(2, 3, 5)), target, taxonomy).items():
        torch.testing.assert_close(values.flatten(), flat[name], equal_nan=True)
    none = score_set(LabelSets(chosen[:0], torch.zeros(0, 3, 5)), target[:0], taxonomy)
    assert all(values.shape == (0, 3) for values in none.values())
    with pytest.raises(InputError, match="sets"):
        score_set(LabelSets(chosen, torch.zeros(2, 3, 5)), target[0], taxonomy)
