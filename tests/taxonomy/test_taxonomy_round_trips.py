"""What is written comes back, for random ragged trees with repeated names, chains and holes."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from cladewise.taxonomy import Taxonomy, read, write
from cladewise.taxonomy.formats import from_dataframe
from cladewise.taxonomy.formats.edges import edges_from_taxonomy
from cladewise.taxonomy.formats.levels import levels_from_taxonomy
from cladewise.taxonomy.formats.newick import newick_from_taxonomy, taxonomy_from_newick

HOSTILE = ["a", "A", "b", "no", "null", "~", "1", "1.0", "é", "e\u0301", "two words", " edges ", "it's", '"', "a,b"]
HOSTILE += [
    "a\tb",
    "a\nb",
    "a\r\nb",
    "(a)",
    "[b]",
    "a:1;",
    "a_b",
    "#",
    "- a",
    "{",
    "children",
    "name",
    "root",
    "../up",
    "🦊",
]
PLAIN = ["apple", "Birne", "kale", "fig", "a b", "x.y", "Ω", "🦊", "it's"]
SETTINGS = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def names(pool: list[str]) -> st.SearchStrategy[str]:
    arbitrary = st.text(st.characters(exclude_categories=("Cs", "Cc", "Zs", "Zl", "Zp")), min_size=1, max_size=6)
    return st.one_of(st.sampled_from(pool), arbitrary) if pool is HOSTILE else st.sampled_from(pool)


@st.composite
def trees(
    draw: st.DrawFn,
    *,
    pool: list[str] = HOSTILE,
    holes: bool = True,
    columns: bool = False,
    apart: bool = False,
    synthetic: bool | None = None,
    level_names: list[str] | None = None,
) -> Taxonomy:
    """A tree of 2 to 15 nodes. ``apart``: children of one node have different names."""
    size = draw(st.integers(2, 15))
    parents, level = [-1], [0]
    texts = [draw(names(pool))]
    taken: set[tuple[int, str]] = set()
    for _ in range(1, size):
        parent = draw(st.integers(max(0, len(parents) - draw(st.integers(1, 15))), len(parents) - 1))
        name = draw(names(pool))
        if apart and (parent, name) in taken:
            continue
        if level_names is not None and level[parent] == len(level_names):
            continue
        taken.add((parent, name))
        step = draw(st.sampled_from([1, 1, 2, 3])) if holes else 1
        limit = len(level_names) if level_names is not None else 10**6
        parents.append(parent)
        texts.append(name)
        level.append(min(limit, level[parent] + step))
    assume(len(parents) > 1)
    chosen = level_names
    if chosen is None and holes:
        extra = max(level) + draw(st.integers(0, 1))
        prefix = draw(st.sampled_from(["level_", "rank ", "Ebene é"]))
        chosen = [f"{prefix}{k}" for k in range(1, extra + 1)]
    kept = None
    if columns:
        text = st.sampled_from(["", "x", "a,b", "2", "é"])
        kept = {key: [draw(text) for _ in parents] for key in ("note", "second note")}
        if draw(st.booleans()):
            kept["id"] = [f"id{k}" for k in range(len(parents))]
    real = not (draw(st.booleans()) if synthetic is None else synthetic)
    return Taxonomy.from_parents(parents, texts, level=level, level_names=chosen, columns=kept, synthetic_root=not real)


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


@pytest.mark.parametrize("name", ["t.csv", "t.tsv", "t.parquet", "t.json", "t.yaml"])
@SETTINGS
@given(tree=trees(columns=True))
def test_node_tables_and_nested_files_keep_everything(folder: Path, name: str, tree: Taxonomy) -> None:
    write(tree, folder / name)
    assert_same(read(folder / name), tree)


@pytest.mark.parametrize("name", ["t.json", "t.yaml"])
@SETTINGS
@given(tree=trees(holes=False, apart=True))
def test_nested_mappings_keep_plain_trees(folder: Path, name: str, tree: Taxonomy) -> None:
    write(tree, folder / name)
    assert '"name": ""' not in (folder / name).read_text()
    assert_same(read(folder / name), tree)


@pytest.mark.parametrize("name", ["t.csv", "t.tsv", "t.parquet"])
@SETTINGS
@given(tree=trees(apart=True))
def test_level_tables_keep_levels_and_holes(folder: Path, name: str, tree: Taxonomy) -> None:
    write(tree, folder / name, format="levels")
    assert_same(read(folder / name), tree)


@SETTINGS
@given(tree=trees(holes=False))
def test_newick_keeps_names_and_structure(tree: Taxonomy) -> None:
    assert_same(taxonomy_from_newick(newick_from_taxonomy(tree)), tree)


@SETTINGS
@given(tree=trees())
def test_newick_forgets_levels_only(tree: Taxonomy) -> None:
    found = taxonomy_from_newick(newick_from_taxonomy(tree))
    assert_same(found, Taxonomy(tree.parents, tree.names, synthetic_root=tree.synthetic_root))


@SETTINGS
@given(tree=trees(holes=False))
def test_edges_keep_trees_without_repeated_names(tree: Taxonomy) -> None:
    first = 1 if tree.synthetic_root else 0
    assume(len(set(tree.names[first:].tolist())) == tree.num_nodes - first)
    table = edges_from_taxonomy(tree)
    assert_same(from_dataframe(table, roots="join" if tree.synthetic_root else "error"), tree)


@SETTINGS
@given(tree=trees(pool=PLAIN, holes=False, apart=True, synthetic=True))
def test_folders_keep_names_and_structure_but_sort(folder: Path, tree: Taxonomy) -> None:
    with tempfile.TemporaryDirectory() as place:
        target = Path(place) / "tree"
        write(tree, target)
        found = read(target)
    paths = sorted(tree.path_names(node) for node in tree)
    assert [found.path_names(node) for node in found] == paths


@SETTINGS
@given(tree=trees(apart=True, synthetic=True), seed=st.integers(0, 9))
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
