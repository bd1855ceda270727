"""A subset allows everything below its nodes, through any parents."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cladewise.inference import Subset
from cladewise.predictions import LeafSoftmax
from cladewise.taxonomy import Taxonomy
from reference.graph_metrics_twin import Graph
from strategies import graph_taxonomies

KITCHEN = Taxonomy(
    [-1, 0, 1, 1, 0, 4, 4],
    ["", "fruit", "apple", "fig", "vegetable", "tomato", "kale"],
    further_parents=[(5, 1)],
)


def test_a_further_child_is_allowed_with_its_parent() -> None:
    p = Subset(["fruit"])(LeafSoftmax(KITCHEN, torch.zeros(1, 4))).log_prob.exp()[0]
    third = 1 / 3
    torch.testing.assert_close(p, torch.tensor([1.0, 2 * third, third, third, third, third, 0.0]))


@given(graph_taxonomies().filter(lambda t: t.num_nodes > 1), st.data())
@settings(max_examples=40, deadline=None)
def test_possible_nodes_have_an_allowed_leaf_below(taxonomy: Taxonomy, data: st.DataObject) -> None:
    graph = Graph(taxonomy)
    node = st.integers(0, taxonomy.num_nodes - 1)
    allowed = data.draw(st.lists(node, min_size=1, max_size=3))
    leaves = [leaf for leaf in graph.leaves if graph.above[leaf] & set(allowed)]
    possible = [any(bool(taxonomy.contains(v, leaf)) for leaf in leaves) for v in taxonomy]
    assert Subset(allowed).can_be(taxonomy).tolist() == possible
