"""Trees from pairs of nodes."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given

from cladewise import InputError, Taxonomy
from strategies import taxonomies


@given(taxonomies())
def test_the_edges_of_a_tree_give_the_tree_back(tree: Taxonomy) -> None:
    below = np.arange(1, tree.num_nodes)
    upward = np.stack([below, tree.parents[1:]], axis=1)
    names = {node: f"n{node}" for node in tree}
    if not below.size:
        upward = [(0, None)]
    flipped = [tuple(edge)[::-1] for edge in (upward.tolist() if below.size else upward)]
    for edges, direction in ((upward, "child-parent"), (flipped, "parent-child")):
        built = Taxonomy.from_edges(edges, direction=direction, names=names)
        kept = [int(text) for text in built.columns["id"].tolist()]
        assert sorted(kept) == list(tree)
        assert built.names.tolist() == [names[node] for node in kept]
        assert [kept[parent] for parent in built.parents[1:]] == [int(tree.parents[node]) for node in kept[1:]]


class TestForms:
    expected = ("fruit", "apple", "pear")

    def test_lists_arrays_and_frames(self) -> None:
        pairs = [("apple", "fruit"), ("pear", "fruit")]
        for edges in (pairs, np.array(pairs), pl.DataFrame(pairs, schema=["a", "b"], orient="row"), iter(pairs)):
            tree = Taxonomy.from_edges(edges, direction="child-parent", level_names=["kind"])
            assert (tuple(tree.names), tree.level_names, dict(tree.columns)) == (self.expected, ("kind",), {})

    def test_pandas_frames_whose_gaps_make_ids_floats(self) -> None:
        pandas = pytest.importorskip("pandas")
        frame = pandas.DataFrame({"node": [7, 1, 2], "parent": [None, 7, 7]})
        tree = Taxonomy.from_edges(frame, direction="child-parent", names={7: "fruit", 1: "apple", 2: "pear"})
        assert (tuple(tree.names), tree.columns["id"].tolist()) == (self.expected, ["7", "1", "2"])
        texts = pandas.DataFrame({"parent": [None, "fruit", "fruit"], "node": ["fruit", "apple", "pear"]})
        for frame in (texts, texts.astype("string")):
            assert tuple(Taxonomy.from_edges(frame, direction="parent-child").names) == self.expected
        edges = [("fruit", float("nan")), ("apple", "fruit"), ("pear", "fruit")]
        assert tuple(Taxonomy.from_edges(edges, direction="child-parent").names) == self.expected

    def test_an_edge_twice_and_a_root_without_a_parent_are_harmless(self) -> None:
        edges = [("fruit", None), ("apple", "fruit"), ("apple", "fruit"), ("pear", "fruit")]
        assert tuple(Taxonomy.from_edges(edges, direction="child-parent").names) == self.expected

    def test_joined_roots_are_under_a_synthetic_one_and_depths_may_differ(self) -> None:
        edges = [("fruit", "apple"), ("fish", "salmon"), ("salmon", "smoked")]
        tree = Taxonomy.from_edges(edges, direction="parent-child", roots="join")
        assert [tree.path_name(v) for v in tree] == [
            "",
            "fruit",
            "fruit/apple",
            "fish",
            "fish/salmon",
            "fish/salmon/smoked",
        ]
        assert tree.synthetic_root


@pytest.mark.parametrize(
    ("edges", "message"),
    [
        ([("a", "b"), ("a", "c")], r"one parent for each node, but got 1 with several, such as 'a' under 'b', 'c'"),
        ([("a", None), ("a", "c")], r"such as 'a' under '\(none\)', 'c'"),
        ([("a", "b"), ("b", "c"), ("c", "a")], r"to be connected to the root, but got a cycle: a → b → c → a"),
        ([("a", "a")], r"a cycle: a → a"),
        ([("a", "b"), ("c", "d")], r"exactly one root, but got 2: 'b', 'd'\. Pass roots=\"join\""),
        ([], "at least one edge, but got none"),
        ([("a", "b", "c")], r"edges that are pairs of nodes, but got \('a', 'b', 'c'\)"),
        (["ab"], "edges that are pairs of nodes, but got 'ab'"),
        ([1, 2], "edges that are pairs of nodes, but got 1"),
        ([(None, "b")], r"a child in every edge, but got none in \(None, 'b'\)"),
        ([(7, "7")], "a unique id for each node"),
        ([(" ", "a")], "a unique id for each node, but got a blank one"),
    ],
)
def test_edges_that_are_no_tree(edges: list[tuple[object, ...]], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Taxonomy.from_edges(edges, direction="child-parent")


def test_wrong_options() -> None:
    with pytest.raises(InputError, match="direction to be one of child-parent, parent-child, but got 'up'"):
        Taxonomy.from_edges([("a", "b")], direction="up")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="roots to be one of error, join, but got 'keep'"):
        Taxonomy.from_edges([("a", "b")], direction="child-parent", roots="keep")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="a name for every node, but got 1 without: 'b'"):
        Taxonomy.from_edges([("a", "b")], direction="child-parent", names={"a": "x"})
