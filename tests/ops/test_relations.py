from __future__ import annotations

import gc
import weakref

import pytest
import torch
from hypothesis import given, settings

from cladewise import ops
from cladewise.taxonomy import Taxonomy
from reference import trees
from strategies import taxonomies


@pytest.mark.usefixtures("arithmetic")
@settings(max_examples=15)
@given(taxonomies(max_nodes=14))
def test_relations_of_all_pairs_are_their_twins(taxonomy: Taxonomy) -> None:
    nodes = torch.arange(taxonomy.num_nodes)
    first, second = nodes[:, None], nodes[None, :]
    pairs = [(u, v) for u in range(taxonomy.num_nodes) for v in range(taxonomy.num_nodes)]
    expected = torch.tensor([trees.lca(taxonomy, u, v) for u, v in pairs]).view(taxonomy.num_nodes, -1)
    assert torch.equal(ops.lca(first, second, taxonomy), expected)
    heights = torch.tensor([trees.height(taxonomy, v) for v in range(taxonomy.num_nodes)])
    assert torch.equal(ops.lca_height(first, second, taxonomy), heights[expected])
    assert torch.equal(ops.is_ancestor(first, second, taxonomy), expected == first)


@settings(max_examples=15)
@given(taxonomies())
def test_ancestors_are_paths(taxonomy: Taxonomy) -> None:
    rows = ops.ancestors(torch.arange(taxonomy.num_nodes), taxonomy).tolist()
    for node, row in enumerate(rows):
        path = trees.path(taxonomy, node)
        assert row == path + [-1] * (taxonomy.max_depth + 1 - len(path))


def test_index_lives_as_long_as_the_taxonomy() -> None:
    taxonomy = Taxonomy.from_paths([("short", "lived")])
    index = ops.tree_index(taxonomy, "cpu")
    assert ops.tree_index(taxonomy, torch.device("cpu")) is index
    gone = weakref.ref(taxonomy)
    del taxonomy
    gc.collect()
    assert gone() is None


def test_half_precision_is_promoted() -> None:
    dtypes = [ops.at_least_float(torch.zeros(1, dtype=d)).dtype for d in (torch.float16, torch.bfloat16, torch.float64)]
    assert dtypes == [torch.float32, torch.float32, torch.float64]


@pytest.mark.usefixtures("arithmetic")
def test_what_is_no_node_is_refused() -> None:
    taxonomy = Taxonomy.from_paths([("a", "b"), ("c",)])
    beyond = torch.tensor([taxonomy.num_nodes])
    with pytest.raises(IndexError):
        ops.lca(beyond, torch.tensor([2]), taxonomy)
    with pytest.raises(IndexError):
        ops.path_sibling_nll(torch.zeros(1, 3), beyond, taxonomy)
