"""Several parents in files: read with all edges, written without loss or refused."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import networkx as nx
import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from cladewise.errors import InputError
from cladewise.taxonomy import Taxonomy, check, from_dataframe, read, write
from cladewise.taxonomy.formats.writing import FILES, KEEP_FURTHER_PARENTS, TABLES
from strategies import graph_taxonomies

SETTINGS = settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
KITCHEN = [("apple", "fruit"), ("tomato", "fruit"), ("tomato", "vegetable"), ("fruit", "food"), ("vegetable", "food")]


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as place:
        yield Path(place)


def edges(taxonomy: Taxonomy) -> list[tuple[str, str]]:
    """All edges (child, parent) by name, without those to a synthetic root."""
    pairs = [(v, int(p)) for v in range(1, taxonomy.num_nodes) for p in taxonomy.all_parents(v)]
    return sorted(
        (str(taxonomy.names[v]), str(taxonomy.names[p])) for v, p in pairs if p or not taxonomy.synthetic_root
    )


def table(rows: list[tuple[str, str]]) -> str:
    return "child,parent\n" + "".join(f"{child},{parent}\n" for child, parent in rows)


@SETTINGS
@given(tree=graph_taxonomies(), with_ids=st.booleans())
def test_node_tables_and_documents_keep_all_parents(folder: Path, tree: Taxonomy, with_ids: bool) -> None:
    if with_ids:  # in another order than the nodes, and with a | inside
        tree = tree.with_columns({"id": [f"k|{tree.num_nodes - v}" for v in range(tree.num_nodes)]})
    for name in ("t.csv", "t.tsv", "t.parquet", "t.json", "t.yaml"):
        write(tree, folder / name)
        found = read(folder / name)
        assert found == tree, name
        assert found.further_parents.tolist() == tree.further_parents.tolist()
        assert {k: v.tolist() for k, v in found.columns.items()} == {k: v.tolist() for k, v in tree.columns.items()}


@SETTINGS
@given(tree=graph_taxonomies())
def test_edge_lists_keep_all_edges(folder: Path, tree: Taxonomy) -> None:
    assume(tree.num_nodes > 1)
    write(tree, folder / "t.csv", format="edges")
    roots = "join" if tree.synthetic_root else "error"
    assert edges(read(folder / "t.csv", format="edges", parents="all", roots=roots)) == edges(tree)
    if not tree.synthetic_root:
        assert edges(Taxonomy.from_edges(edges(tree), direction="child-parent", parents="all")) == edges(tree)


def test_every_other_format_is_refused(tmp_path: Path) -> None:
    tree = Taxonomy([-1, 0, 0, 2], ["food", "fruit", "vegetable", "tomato"], further_parents=[(3, 1)])
    for kind in [*TABLES, *FILES]:
        if kind in KEEP_FURTHER_PARENTS:
            continue
        with pytest.raises(InputError, match=r"Expected one parent for each node, .* but got 1 node with several"):
            write(tree, tmp_path / "t", format=kind)
        assert not (tmp_path / "t").exists()


@pytest.mark.parametrize("order", [1, -1])
def test_the_primary_parent_is_the_first_listed(tmp_path: Path, order: int) -> None:
    (tmp_path / "t.csv").write_text(table(KITCHEN[::order]))
    tree = read(tmp_path / "t.csv", parents="all")
    assert edges(tree) == sorted(KITCHEN)
    assert tree.path_name(tree.find("tomato")) == f"food/{['', 'fruit', 'vegetable'][order]}/tomato"
    assert read(tmp_path / "t.csv", parents="first").path_name(tree.find("tomato")) == tree.path_name(
        tree.find("tomato")
    )


def test_a_grandparent_is_never_the_primary_parent(tmp_path: Path) -> None:
    rows = [("tomato", "food"), *KITCHEN]
    (tmp_path / "t.csv").write_text(table(rows))
    found = [
        read(tmp_path / "t.csv", parents="all"),
        from_dataframe(pl.DataFrame(rows, schema=["child", "parent"], orient="row"), parents="all"),
        from_dataframe(pd.DataFrame(rows, columns=["child", "parent"]), parents="all"),
        Taxonomy.from_edges(rows, direction="child-parent", parents="all"),
        Taxonomy.from_edges([(p, c) for c, p in rows], direction="parent-child", parents="all"),
    ]
    for tree in found:
        assert edges(tree) == sorted(rows)
        assert tree.path_name(tree.find("tomato")) == "food/fruit/tomato"


def test_a_row_without_a_parent_adds_nothing_to_one_with(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(table([("food", ""), ("tomato", ""), *KITCHEN]))
    assert edges(read(tmp_path / "t.csv", parents="all")) == sorted(KITCHEN)
    pairs = [("tomato", None), *KITCHEN]
    assert edges(Taxonomy.from_edges(pairs, direction="child-parent", parents="all")) == sorted(KITCHEN)


def test_ids_records_and_graphs(tmp_path: Path) -> None:
    ids = {name: str(number) for number, name in enumerate(["food", "fruit", "vegetable", "apple", "tomato"], start=7)}
    rows = [{"id": ids["food"], "parent": "", "name": "food"}]
    rows += [{"id": ids[child], "parent": ids[parent], "name": child} for child, parent in KITCHEN]
    pl.DataFrame(rows).write_csv(tmp_path / "t.csv")
    (tmp_path / "t.json").write_text(json.dumps(rows))
    (tmp_path / "g.json").write_text(json.dumps(nx.node_link_data(nx.DiGraph([(p, c) for c, p in KITCHEN]))))
    for name in ("t.csv", "t.json", "g.json"):
        tree = read(tmp_path / name, parents="all")
        assert edges(tree) == sorted(KITCHEN), name
        assert ("id" in tree.columns) == (name != "g.json")
        with pytest.raises(InputError, match=r'2 parents of .tomato.*Pass parents="all" to keep them'):
            read(tmp_path / name)


def test_taxa(tmp_path: Path) -> None:
    lines = ["taxonID,parentNameUsageID,scientificName,taxonRank", "1,,Animalia,kingdom", "2,1,Aa,family"]
    (tmp_path / "t.csv").write_text("\n".join([*lines, "3,1,Bb,family", "4,2,Aa bb,species", "4,3,Aa bb,species"]))
    tree = read(tmp_path / "t.csv", parents="all")
    assert ("Aa bb", "Bb") in edges(tree)
    assert tree.path_names(tree.find("Aa bb")) == ("Animalia", "Aa", "Aa bb")


def test_a_cycle_through_further_parents_is_a_problem_of_its_line(tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    file.write_text(table([*KITCHEN, ("fruit", "tomato")]))
    (problem,) = check(file, parents="all")
    assert (problem.kind, problem.text) == ("cycle", "a cycle: 'tomato' is a parent of 'fruit' and a descendant of it")
    with pytest.raises(InputError, match="a cycle: 'tomato' is a parent of 'fruit'"):
        read(file, parents="all")
    with pytest.raises(InputError, match="a cycle"):
        Taxonomy.from_edges([*KITCHEN, ("fruit", "tomato")], direction="child-parent", parents="all")


def test_further_parents_that_are_no_nodes(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("id,parent,name,level,further_parents\n0,,r,\n1,0,a,level_1,9\n")
    with pytest.raises(InputError, match="parent '9' of '1', which no row defines"):
        read(tmp_path / "t.csv")
    node = {"name": "r", "id": "0", "children": [{"name": "a", "id": "1", "further_parents": "9"}]}
    (tmp_path / "t.json").write_text(json.dumps(node))
    with pytest.raises(InputError, match="ids of nodes in 'further_parents', but got '9', the id of no node"):
        read(tmp_path / "t.json")


WORDNET = Path("/usr/share/wordnet/data.noun")


@pytest.mark.skipif(not WORDNET.exists(), reason="needs WordNet 3.0 in /usr/share/wordnet")
@pytest.mark.slow
def test_wordnet_is_read_whole(tmp_path: Path) -> None:
    tree = read(WORDNET, parents="all")
    listed = list[tuple[str, str]]()
    for line in WORDNET.read_text().splitlines():
        fields = line.split()
        if not line.startswith(" "):
            listed += [(f"n{fields[0]}", f"n{fields[i + 1]}") for i, f in enumerate(fields) if f in ("@", "@i")]
    ids = tree.columns["id"].tolist()
    found = [(ids[v], ids[int(tree.parents[v])]) for v in range(1, tree.num_nodes)]
    found += [(ids[v], ids[p]) for v, p in tree.further_parents.tolist()]
    assert tree.num_nodes == 82_115
    assert np.unique(tree.further_parents[:, 0]).size == 2_213  # 1,422 of them classes, 791 instances
    assert sorted(found) == sorted(set(listed))
    tree.write(tmp_path / "t.parquet")
    assert read(tmp_path / "t.parquet") == tree


def test_classes_that_contain_others_are_reported(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(table([*KITCHEN, ("tomato", "apple")]))
    (problem,) = check(tmp_path / "t.csv", parents="all")
    assert str(problem) == (
        "warning: 'food/fruit/apple' has children only as a further parent, such as 'food/vegetable/tomato' [overlap]"
    )


def test_lists_of_parents_in_json(tmp_path: Path) -> None:
    records = [{"id": "food", "parents": []}, *({"id": name, "parents": ["food"]} for name in ("fruit", "vegetable"))]
    records += [{"id": "apple", "parents": ["fruit"]}, {"id": "tomato", "parents": ["fruit", "vegetable"]}]
    (tmp_path / "r.json").write_text(json.dumps(records))
    assert edges(read(tmp_path / "r.json", parents="all")) == sorted(KITCHEN)
    with pytest.raises(InputError, match=r"2 parents of 'tomato': 'fruit', 'vegetable'"):
        read(tmp_path / "r.json")
    tomato = {"name": "tomato", "id": "t", "further_parents": ["f"]}
    vegetable = {"name": "vegetable", "id": "v", "children": [tomato]}
    fruit = {"name": "fruit", "id": "f", "children": [{"name": "apple", "id": "a"}]}
    (tmp_path / "c.json").write_text(json.dumps({"name": "food", "id": "r", "children": [fruit, vegetable]}))
    assert edges(read(tmp_path / "c.json")) == sorted(KITCHEN)
