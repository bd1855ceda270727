"""Edges to further parents."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cladewise.errors import InputError
from cladewise.taxonomy import Taxonomy
from strategies import taxonomies


@st.composite
def graphs(draw: st.DrawFn) -> tuple[Taxonomy, list[tuple[int, int]]]:
    """A tree and some edges, which may make cycles."""
    tree = draw(taxonomies())
    node = st.integers(0, tree.num_nodes - 1)
    return tree, draw(st.lists(st.tuples(node, node), max_size=6))


@given(graphs())
def test_edges_are_kept_unless_they_make_a_cycle(case: tuple[Taxonomy, list[tuple[int, int]]]) -> None:
    tree, edges = case
    graph = nx.DiGraph([(v, int(tree.parents[v])) for v in range(1, tree.num_nodes)])
    graph.add_edges_from(edges)
    given_edges = {"parents": tree.parents, "names": tree.names, "level": tree.level, "further_parents": edges}
    if not nx.is_directed_acyclic_graph(graph):
        with pytest.raises(InputError, match="cycle"):
            Taxonomy(**given_edges)
        return
    built = Taxonomy(**given_edges)
    synthetic = built.synthetic_root  # an edge to such a root says nothing
    expected = sorted({(v, p) for v, p in edges if tree.parents[v] != p and not (synthetic and p == 0)})
    assert built.further_parents.tolist() == [list(edge) for edge in expected]
    assert (built == tree) == (not expected and tree.synthetic_root == built.synthetic_root)


@given(graphs(), st.randoms(use_true_random=False))
def test_renumbering_keeps_the_edges(case: tuple[Taxonomy, list[tuple[int, int]]], random) -> None:
    tree, edges = case
    edges = [(v, p) for v, p in edges if v > p and not tree.contains(v, p)]  # from later to earlier nodes: no cycle
    order = list(range(tree.num_nodes))
    random.shuffle(order)
    place = {node: position for position, node in enumerate(order)}
    shuffled = Taxonomy.from_parents(
        [place[int(tree.parents[v])] if v else -1 for v in order],
        [f"node {v}" for v in order],
        further_parents=[(place[v], place[p]) for v, p in edges],
    )
    named = {(str(shuffled.names[v]), str(shuffled.names[p])) for v, p in shuffled.further_parents.tolist()}
    assert named == {(f"node {v}", f"node {p}") for v, p in edges if tree.parents[v] != p}


def test_edges_need_nodes() -> None:
    for edges in ([(1, 5)], [(-1, 0)], [(1,)], [1, 2]):
        with pytest.raises(InputError, match="pairs of nodes"):
            Taxonomy([-1, 0, 0], ["r", "a", "b"], further_parents=edges)


def test_a_leaf_more_keeps_the_edges() -> None:
    tree = Taxonomy([-1, 0, 1, 0], ["food", "fruit", "tomato", "vegetable"], further_parents=[(2, 3)])
    grown, _ = tree.with_leaf("apple", 1)
    ((node, above),) = grown.further_parents.tolist()
    assert (grown.path_name(node), grown.path_name(above)) == ("food/fruit/tomato", "food/vegetable")
    assert tree != Taxonomy(tree.parents, tree.names)
    assert np.array_equal(tree.parents, Taxonomy(tree.parents, tree.names).parents)
