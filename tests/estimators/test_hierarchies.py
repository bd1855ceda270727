"""Label trees from edges, graphs and dicts."""

from __future__ import annotations

from pathlib import Path

import networkx as nx
import pandas as pd
import polars as pl
import pytest
from hypothesis import given

from cladewise import Taxonomy
from cladewise.errors import InputError
from cladewise.estimators import taxonomy_of
from strategies import taxonomies


def paths_of(tree: Taxonomy) -> set[tuple[str, ...]]:
    return {tree.path_names(node) for node in range(tree.num_nodes)} - {()}


@given(taxonomies(min_nodes=2))
def test_every_form_of_a_tree_is_the_tree(tree: Taxonomy) -> None:
    names, parents = tree.names.tolist(), tree.parents.tolist()
    top = 1 if tree.synthetic_root else 0
    edges = [(names[parents[node]] if parents[node] >= top else None, names[node]) for node in range(top, len(names))]
    graph = nx.DiGraph()
    graph.add_nodes_from(names[top:])
    graph.add_edges_from((parent, child) for parent, child in edges if parent is not None)
    nested: dict[str, dict] = {}
    places = {0: nested} if tree.synthetic_root else {-1: nested}
    for node in range(top, len(names)):
        places[node] = places[parents[node]].setdefault(names[node], {})
    expected = paths_of(tree)
    assert paths_of(taxonomy_of(edges)) == expected
    assert paths_of(taxonomy_of(graph)) == expected
    assert paths_of(taxonomy_of(nested)) == expected
    if not tree.synthetic_root:
        below: dict[str, list[str]] = {}
        for parent, child in edges[1:]:
            below.setdefault(str(parent), []).append(child)
        assert paths_of(taxonomy_of(below)) == expected


def test_files_numbers_and_trees(tmp_path: Path) -> None:
    tree = Taxonomy.from_paths([("a", "b"), ("a", "c")])
    tree.write(tmp_path / "tree.csv")
    assert taxonomy_of(tmp_path / "tree.csv").num_leaves == 2
    assert taxonomy_of(str(tmp_path / "tree.csv")).num_leaves == 2
    assert taxonomy_of(tree) is tree
    assert taxonomy_of(nx.DiGraph([(0, 1), (0, 2)])).names.tolist() == ["0", "1", "2"]
    assert taxonomy_of({"a": {"b": {}}, "c": {}}).path_names(2) == ("a", "b")


def test_data_frames_of_edges_and_of_paths() -> None:
    for module in (pd, pl):
        edges = taxonomy_of(module.DataFrame({"child": ["a", "b", "c"], "parent": [None, "a", "a"]}))
        assert [edges.path_names(node) for node in edges.leaf_nodes] == [("a", "b"), ("a", "c")]
        rows = {"family": ["felidae", "canidae", "felidae"], "species": ["lynx", None, "cat"]}
        paths = taxonomy_of(module.DataFrame(rows))
        assert paths.level_names == ("family", "species")
        assert [paths.path_name(node) for node in paths.leaf_nodes] == ["felidae/lynx", "felidae/cat", "canidae"]


@pytest.mark.parametrize(
    ("given_as", "told"),
    [
        (3, "a Taxonomy, a file"),
        ([("a", "b", "c")], "among edges"),
        (["ab"], "among edges"),
        ({"a": ["b"], "c": {}}, "a dict of lists, or of dicts"),
        ({"a": "bc"}, "a dict of lists, or of dicts"),
        ({"a": {"b": 3}}, "dicts inside dicts"),
        (nx.Graph([("a", "b")]), "an undirected one"),
        ([("a", "b"), ("b", "a")], "cycle"),
        ([("a", "c"), ("b", "c")], "parent"),
    ],
)
def test_what_is_no_tree_is_refused(given_as: object, told: str) -> None:
    with pytest.raises(InputError, match=told):
        taxonomy_of(given_as)
