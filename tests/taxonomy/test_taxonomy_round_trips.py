"""Written trees come back, for random ragged trees with repeated names, chains and holes."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cladewise.taxonomy import Taxonomy, from_dataframe, read, write
from cladewise.taxonomy.formats.phylogenies.newick import newick_from_taxonomy, taxonomy_from_newick
from cladewise.taxonomy.formats.tables.edge_list import edges_from_taxonomy
from cladewise.taxonomy.formats.tables.level_table import levels_from_taxonomy
from strategies import PLAIN, label_trees

SETTINGS = settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as place:
        yield Path(place)


def assert_same(found: Taxonomy, tree: Taxonomy) -> None:
    assert found.parents.tolist() == tree.parents.tolist()
    assert found.names.tolist() == tree.names.tolist()
    assert found.level.tolist() == tree.level.tolist()
    assert found == tree
    assert found.level_names == tree.level_names
    assert {k: v.tolist() for k, v in found.columns.items()} == {k: v.tolist() for k, v in tree.columns.items()}


@SETTINGS
@given(tree=label_trees(columns=True))
def test_node_tables_and_nested_files_keep_everything(folder: Path, tree: Taxonomy) -> None:
    for name in ("t.csv", "t.tsv", "t.parquet", "t.json", "t.yaml"):
        write(tree, folder / name)
        assert_same(read(folder / name), tree)


@SETTINGS
@given(tree=label_trees(holes=False, apart=True))
def test_nested_mappings_keep_plain_trees(folder: Path, tree: Taxonomy) -> None:
    for name in ("t.json", "t.yaml"):
        write(tree, folder / name)
        assert_same(read(folder / name), tree)


@SETTINGS
@given(tree=label_trees(apart=True))
def test_level_tables_keep_levels_and_holes(folder: Path, tree: Taxonomy) -> None:
    for name in ("t.csv", "t.tsv", "t.parquet"):
        write(tree, folder / name, format="levels")
        assert_same(read(folder / name, format="levels", header="first"), tree)


@SETTINGS
@given(tree=label_trees(holes=False))
def test_newick_keeps_names_and_structure(tree: Taxonomy) -> None:
    assert_same(taxonomy_from_newick(newick_from_taxonomy(tree)), tree)


@SETTINGS
@given(tree=label_trees())
def test_newick_forgets_levels_only(tree: Taxonomy) -> None:
    found = taxonomy_from_newick(newick_from_taxonomy(tree))
    assert_same(found, Taxonomy(tree.parents, tree.names, synthetic_root=tree.synthetic_root))


@SETTINGS
@given(tree=label_trees(holes=False))
def test_edges_keep_trees_whose_names_do_not_repeat(tree: Taxonomy) -> None:
    names = [f"{name} no. {node}" if node or name else "" for node, name in enumerate(tree.names.tolist())]
    tree = Taxonomy(tree.parents, names, synthetic_root=tree.synthetic_root)
    table = edges_from_taxonomy(tree)
    assert_same(from_dataframe(table, roots="join" if tree.synthetic_root else "error"), tree)


@SETTINGS
@given(tree=label_trees(pool=PLAIN, holes=False, apart=True, synthetic=True))
def test_folders_keep_names_and_structure_but_sort(folder: Path, tree: Taxonomy) -> None:
    with tempfile.TemporaryDirectory() as place:
        target = Path(place) / "tree"
        write(tree, target)
        found = read(target)
    paths = sorted(tree.path_names(node) for node in tree)
    assert [found.path_names(node) for node in found] == paths


@SETTINGS
@given(tree=label_trees(apart=True, synthetic=True), seed=st.integers(0, 9))
def test_rows_in_any_order_make_the_same_paths(tree: Taxonomy, seed: int) -> None:
    table = levels_from_taxonomy(tree)
    mixed = from_dataframe(table.sample(fraction=1.0, shuffle=True, seed=seed))
    key = sorted((tree.path_names(node), int(tree.level[node])) for node in tree)
    assert sorted((mixed.path_names(node), int(mixed.level[node])) for node in mixed) == key


def test_a_large_table_comes_back(folder: Path) -> None:
    rng = np.random.default_rng(0)
    rows = np.unique(rng.integers(0, 30, size=(20_000, 4)), axis=0)
    tree = Taxonomy.from_paths(
        [[f"{column}{value}" for column, value in zip("abcd", row, strict=True)] for row in rows]
    )
    write(tree, folder / "t.parquet", format="levels")
    assert read(folder / "t.parquet") == tree
