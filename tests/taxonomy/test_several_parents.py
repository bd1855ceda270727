"""Ancestors, descendants and meeting points in graphs, against networkx and loops over nodes."""

from __future__ import annotations

import networkx as nx
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from cladewise.taxonomy import Taxonomy
from cladewise.taxonomy.several_parents import FurtherAncestors, most_specific_first
from strategies import graph_taxonomies


def graph_of(taxonomy: Taxonomy) -> nx.DiGraph:
    """All edges from parent to child."""
    graph = nx.DiGraph([(int(taxonomy.parents[v]), v) for v in range(1, taxonomy.num_nodes)])
    graph.add_node(0)
    graph.add_edges_from([(p, v) for v, p in taxonomy.further_parents.tolist()])
    return graph


@given(graph_taxonomies())
def test_ancestors_and_descendants_are_those_of_networkx(taxonomy: Taxonomy) -> None:
    graph = graph_of(taxonomy)
    nodes = np.arange(taxonomy.num_nodes)
    for v in range(taxonomy.num_nodes):
        above = nx.ancestors(graph, v)
        assert taxonomy.ancestors(v).tolist() == sorted(above)
        assert set(taxonomy.further_ancestors.at(v).tolist()) == above - set(taxonomy.path(v))
        assert taxonomy.further_ancestors.count[v] == len(above - set(taxonomy.path(v)))
        assert np.flatnonzero(taxonomy.covers(nodes, v)).tolist() == sorted(above | {v})
        assert taxonomy.descendants(v).tolist() == sorted(nx.descendants(graph, v) | {v})
        assert sorted(taxonomy.all_parents(v).tolist()) == sorted(graph.predecessors(v))


@given(graph_taxonomies(), st.data())
def test_descendants_of_several_nodes_are_the_union(taxonomy: Taxonomy, data: st.DataObject) -> None:
    chosen = data.draw(st.lists(st.integers(0, taxonomy.num_nodes - 1), max_size=4))
    union = set[int]().union(*(taxonomy.descendants(v).tolist() for v in chosen))
    assert taxonomy.descendants(chosen).tolist() == sorted(union)


@given(graph_taxonomies())
def test_heights_and_leaf_counts_are_those_of_loops(taxonomy: Taxonomy) -> None:
    graph = graph_of(taxonomy)
    leaves = set(taxonomy.leaf_nodes.tolist())
    for v in range(taxonomy.num_nodes):
        below = nx.descendants(graph, v) | {v}
        assert taxonomy.full_height[v] == nx.dag_longest_path_length(graph.subgraph(below))
        assert taxonomy.num_leaves_covered[v] == len(below & leaves)


@given(graph_taxonomies())
def test_two_nodes_meet_at_the_least_height(taxonomy: Taxonomy) -> None:
    graph = graph_of(taxonomy)
    above = [nx.ancestors(graph, v) | {v} for v in range(taxonomy.num_nodes)]
    one, other = np.divmod(np.arange(taxonomy.num_nodes**2), taxonomy.num_nodes)
    meeting, lca = taxonomy.meet(one, other), taxonomy.lca(one, other)
    for u, v, found, in_tree in zip(one.tolist(), other.tolist(), meeting.tolist(), lca.tolist(), strict=True):
        common = above[u] & above[v]
        least = min(taxonomy.full_height[a] for a in common)
        lowest = sorted(a for a in common if taxonomy.full_height[a] == least)
        assert found == (in_tree if in_tree in lowest else lowest[0])
        if u in above[v]:
            assert found == u


def test_of_two_meetings_of_one_height_it_is_the_first_whichever_node_is_named_first() -> None:
    tree = Taxonomy.from_paths([("a", "u"), ("b", "v")])
    taxonomy = Taxonomy(tree.parents, tree.names, further_parents=[(2, 3), (4, 1)])
    assert taxonomy.meet([2, 4], [4, 2]).tolist() == [1, 1]


@given(graph_taxonomies(), st.randoms(use_true_random=False))
def test_the_primary_parent_is_the_first_that_is_above_no_other(taxonomy: Taxonomy, random) -> None:
    graph = graph_of(taxonomy)
    listed = taxonomy.further_parents.tolist()
    random.shuffle(listed)
    edges = np.array(listed, dtype=np.int64).reshape(-1, 2)
    parents, further = most_specific_first(taxonomy.parents, edges)
    for v in range(1, taxonomy.num_nodes):
        given_order = [int(taxonomy.parents[v]), *(p for w, p in listed if w == v)]
        lowest = [p for p in given_order if not any(p in nx.ancestors(graph, q) for q in given_order)]
        assert parents[v] == lowest[0]
        assert sorted([int(parents[v]), *further[further[:, 0] == v, 1].tolist()]) == sorted(given_order)


@given(graph_taxonomies())
def test_a_primary_tree_has_the_relations_of_the_tree_alone(taxonomy: Taxonomy) -> None:
    tree = taxonomy.primary_tree()
    assert not tree.has_further_parents
    assert tree.further_ancestors.nodes.size == 0
    assert np.array_equal(tree.names, taxonomy.names)
    assert np.array_equal(tree.parents, taxonomy.parents)
    one, other = np.divmod(np.arange(tree.num_nodes**2), tree.num_nodes)
    assert np.array_equal(tree.covers(one, other), tree.contains(one, other))
    assert np.array_equal(tree.meet(one, other), tree.lca(one, other))
    assert tree.full_height is tree.height
    assert tree.num_leaves_covered is tree.num_leaves_under


def test_rows_are_shared_below_a_node_with_several_parents() -> None:
    """A million descendants of one node with a second parent share its row."""
    size = 1_000_000
    parents = np.concatenate([[-1, 0, 0], np.full(size - 3, 2)])
    end = np.concatenate([[size, 2, size], np.arange(4, size + 1)])
    found = FurtherAncestors.of(parents, end, np.array([[2, 1]]))
    assert found.nodes.tolist() == [1]
    assert found.count.sum() == size - 2
    assert found.has(np.array([1, 1]), np.array([size - 1, 0])).tolist() == [True, False]
