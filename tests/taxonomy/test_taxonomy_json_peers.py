"""JSON of other libraries that hold trees: what each writes is read as it is meant, or refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import anytree
import bigtree
import networkx as nx
import pytest
import treelib
from anytree.exporter import DictExporter, JsonExporter

from cladewise.errors import InputError
from cladewise.taxonomy import Taxonomy, read

PATHS = {"bird", "bird/owl", "bird/owl/barn owl", "bird/wren"}


def reading(folder: Path, content: Any, **options: Any) -> Taxonomy:
    file = folder / "t.json"
    file.write_text(content if isinstance(content, str) else json.dumps(content))
    return read(file, **options)


def paths(tree: Taxonomy) -> set[str]:
    return {tree.path_name(node) for node in tree}


def texts(tree: Taxonomy, column: str) -> dict[str, str]:
    values = tree.columns[column].tolist()
    return {str(name): value for name, value in zip(tree.names.tolist(), values, strict=True) if value}


@pytest.fixture
def graph() -> nx.DiGraph:
    found = nx.DiGraph([("bird", "owl"), ("owl", "barn owl"), ("bird", "wren")])
    found.nodes["wren"]["size"] = 9.5
    return found


@pytest.mark.parametrize("edges", ["edges", "links"])
def test_networkx_node_link_data(tmp_path: Path, graph: nx.DiGraph, edges: str) -> None:
    tree = reading(tmp_path, nx.node_link_data(graph, edges=edges))
    assert paths(tree) == PATHS
    assert texts(tree, "size") == {"wren": "9.5"}
    assert "id" not in tree.columns  # the names again


def test_networkx_graphs_with_numbers_for_nodes(tmp_path: Path, graph: nx.DiGraph) -> None:
    numbered = nx.convert_node_labels_to_integers(graph, first_label=10, label_attribute="label")
    for content in (nx.node_link_data(numbered), nx.tree_data(numbered, 10)):
        tree = reading(tmp_path, content)
        assert paths(tree) == PATHS
        assert texts(tree, "id") == {"bird": "10", "owl": "11", "barn owl": "12", "wren": "13"}


def test_networkx_tree_data(tmp_path: Path, graph: nx.DiGraph) -> None:
    tree = reading(tmp_path, nx.tree_data(graph, "bird"))
    assert paths(tree) == PATHS
    assert texts(tree, "size") == {"wren": "9.5"}


def test_networkx_cytoscape_data(tmp_path: Path, graph: nx.DiGraph) -> None:
    assert paths(reading(tmp_path, nx.cytoscape_data(graph))) == PATHS


def test_networkx_adjacency_data_is_refused(tmp_path: Path, graph: nx.DiGraph) -> None:
    with pytest.raises(
        InputError, match=r"Expected a known form: .*graph.*, but got a mapping with the keys 'directed'"
    ):
        reading(tmp_path, nx.adjacency_data(graph))


def test_graphs_that_are_no_trees_are_refused(tmp_path: Path, graph: nx.DiGraph) -> None:
    with pytest.raises(InputError, match="Expected a directed graph, but got an undirected graph"):
        reading(tmp_path, nx.node_link_data(graph.to_undirected()))
    graph.add_edge("wren", "barn owl")
    with pytest.raises(InputError, match="2 parents of 'barn owl'"):
        reading(tmp_path, nx.node_link_data(graph))
    assert paths(reading(tmp_path, nx.node_link_data(graph), parents="first")) == PATHS
    forest = nx.DiGraph([("bird", "wren"), ("moth", "sphinx")])
    with pytest.raises(InputError, match="another root 'moth' next to 'bird'"):
        reading(tmp_path, nx.node_link_data(forest))
    joined = reading(tmp_path, nx.node_link_data(forest), roots="join")
    assert paths(joined) == {"", "bird", "bird/wren", "moth", "moth/sphinx"}
    with pytest.raises(InputError, match="a cycle"):
        reading(tmp_path, nx.node_link_data(nx.DiGraph([("r", "a"), ("b", "c"), ("c", "b")])))


def test_treelib(tmp_path: Path) -> None:
    tree = treelib.Tree()
    tree.create_node("bird", "b")
    tree.create_node("owl", "o", parent="b")
    tree.create_node("barn owl", "t", parent="o", data={"size": 35})
    tree.create_node("wren", "w", parent="b")
    assert paths(reading(tmp_path, tree.to_json())) == PATHS
    found = reading(tmp_path, tree.to_json(with_data=True))
    assert paths(found) == PATHS
    assert texts(found, "size") == {"barn owl": "35"}


def test_anytree(tmp_path: Path) -> None:
    bird = anytree.Node("bird")
    anytree.Node("barn owl", parent=anytree.Node("owl", parent=bird), size=35)
    anytree.Node("wren", parent=bird)
    for content in (JsonExporter().export(bird), DictExporter().export(bird)):
        found = reading(tmp_path, content)
        assert paths(found) == PATHS
        assert texts(found, "size") == {"barn owl": "35"}


@pytest.mark.parametrize("write", [bigtree.tree_to_dict, bigtree.tree_to_nested_dict, bigtree.tree_to_nested_dict_key])
def test_bigtree(tmp_path: Path, write: Any) -> None:
    bird = bigtree.Node("bird")
    bigtree.Node("barn owl", parent=bigtree.Node("owl", parent=bird), size=35)
    bigtree.Node("wren", parent=bird)
    assert paths(reading(tmp_path, write(bird))) == PATHS
    found = reading(tmp_path, write(bird, all_attrs=True))
    assert paths(found) == PATHS
    assert texts(found, "size") == {"barn owl": "35"}
