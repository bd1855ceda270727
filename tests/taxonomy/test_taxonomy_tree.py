"""The label tree as a value, against slow and obvious versions of the same."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cladewise.errors import InputError
from cladewise.taxonomy import Taxonomy

NAMES = st.sampled_from(["a", "b", "c", "apple", "Apple", "x/y", "", "é"])


@st.composite
def trees(draw: st.DrawFn) -> Taxonomy:
    """Ragged trees with repeated names, chains, and levels that skip."""
    size = draw(st.integers(1, 25))
    parents = [-1] + [draw(st.integers(max(0, node - draw(st.integers(1, 25))), node - 1)) for node in range(1, size)]
    level = [0]
    for node in range(1, size):
        level.append(level[parents[node]] + draw(st.sampled_from([1, 1, 1, 2, 3])))
    names = [draw(NAMES.filter(bool)) for _ in range(size)]
    shuffled = draw(st.permutations(range(size)))
    place = {old: new for new, old in enumerate(shuffled)}
    moved = [place[parents[old]] if parents[old] >= 0 else -1 for old in shuffled]
    return Taxonomy.from_parents(
        moved,
        [names[old] for old in shuffled],
        level=[level[old] for old in shuffled],
        synthetic_root=draw(st.booleans()),
    )


def ancestors(tree: Taxonomy, node: int) -> list[int]:
    """The node, its parent, and so on up to the root."""
    found = [node]
    while tree.parents[found[-1]] >= 0:
        found.append(int(tree.parents[found[-1]]))
    return found


@given(trees())
def test_subtrees_are_ranges(tree: Taxonomy) -> None:
    for node in tree:
        under = [v for v in tree if node in ancestors(tree, v)]
        assert under == list(range(node, tree.end[node]))
        leaves = [v for v in under if not tree.children(v).size]
        assert tree.leaf_nodes[tree.leaf_start[node] : tree.leaf_end[node]].tolist() == leaves
        assert tree.num_leaves_under[node] == len(leaves)


@given(trees())
def test_heights_depths_and_information(tree: Taxonomy) -> None:
    for node in tree:
        assert tree.depth[node] == len(ancestors(tree, node)) - 1
        assert tree.height[node] == max(tree.depth[v] for v in range(node, tree.end[node])) - tree.depth[node]
        assert tree.path(node) == tuple(reversed(ancestors(tree, node)))
    assert tree.information[0] == 0
    np.testing.assert_allclose(2**-tree.information * tree.num_leaves, tree.num_leaves_under)
    assert sorted(v for nodes in tree.nodes_by_depth for v in nodes.tolist()) == list(tree)


@given(trees())
def test_lca_is_the_deepest_common_ancestor(tree: Taxonomy) -> None:
    nodes = np.arange(tree.num_nodes)
    found = tree.lca(nodes[:, None], nodes)
    assert found.shape == (tree.num_nodes, tree.num_nodes)
    for u in tree:
        for v in tree:
            common = [a for a in ancestors(tree, u) if a in ancestors(tree, v)]
            assert found[u, v] == common[0]
            assert tree.contains(u, v) == (u in ancestors(tree, v))


@given(trees())
def test_the_representative_is_the_deepest_ancestor_not_finer_than_the_level(tree: Taxonomy) -> None:
    for level in range(tree.num_levels + 1):
        slow = [next(a for a in ancestors(tree, node) if tree.level[a] <= level) for node in tree]
        assert tree.at_level(level).tolist() == slow
        assert tree.level_nodes(level).tolist() == sorted({slow[leaf] for leaf in tree.leaf_nodes})


@given(trees())
def test_a_path_that_one_node_has_finds_it(tree: Taxonomy) -> None:
    for node in tree:
        names = tree.path_names(node)
        same = [v for v in tree if tree.path_names(v) == names]
        assert node in same
        if len(same) == 1:
            assert tree.find(names) == node


@given(trees())
def test_equal_trees_are_equal_and_hash_alike(tree: Taxonomy) -> None:
    again = Taxonomy(
        tree.parents,
        tree.names.tolist(),
        level=tree.level,
        level_names=tree.level_names,
        synthetic_root=tree.synthetic_root,
    )
    assert again == tree
    assert hash(again) == hash(tree)
    if tree.num_nodes > 1:
        names = [*tree.names.tolist()[:-1], "another"]
        assert Taxonomy(tree.parents, names, level=tree.level, synthetic_root=tree.synthetic_root) != tree


def test_siblings_keep_the_order_of_the_input() -> None:
    tree = Taxonomy.from_parents([2, 2, -1, 0, 2, 0], ["z", "y", "root", "b", "x", "a"])
    assert tree.names.tolist() == ["root", "z", "b", "a", "y", "x"]
    assert tree.parents.tolist() == [-1, 0, 1, 1, 0, 0]


def test_arrays_cannot_be_written_and_do_not_follow_their_source() -> None:
    parents = np.array([-1, 0])
    tree = Taxonomy(parents, ["a", "b"])
    parents[1] = 7
    assert tree.parents.tolist() == [-1, 0]
    for array in (tree.parents, tree.names, tree.level, tree.end, tree.leaf_nodes, tree.height):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = array[0]


def test_a_root_without_a_name_is_synthetic_and_the_other_way_round() -> None:
    assert Taxonomy([-1, 0], ["", "a"]).synthetic_root
    named = Taxonomy([-1, 0], ["everything", "a"], synthetic_root=True)
    assert named.names.tolist() == ["", "a"]
    assert named.path_names(1) == ("a",)
    assert Taxonomy([-1, 0], ["root", "a"]).path_name(1) == "root/a"


def test_a_single_node() -> None:
    tree = Taxonomy([-1], ["all"])
    assert (tree.num_leaves, tree.max_depth, tree.num_levels) == (1, 0, 0)
    assert tree.leaf_nodes.tolist() == [0]
    assert int(tree.lca(0, 0)) == 0


class TestFind:
    tree = Taxonomy.from_paths([("fruit", "apple", "fuji"), ("juice", "apple"), ("juice", "a/b"), ("soda",)])

    def test_short_name_where_it_is_unique(self) -> None:
        assert self.tree.find("fuji") == 3

    def test_a_path_in_either_form(self) -> None:
        assert self.tree.find("juice/apple") == self.tree.find(("juice", "apple")) == 5

    def test_a_name_that_contains_the_separator(self) -> None:
        assert self.tree.path_names(self.tree.find("a/b")) == ("juice", "a/b")

    def test_the_last_part_of_a_path(self) -> None:
        assert self.tree.find("apple/fuji") == 3

    def test_a_name_that_repeats_lists_the_paths(self) -> None:
        with pytest.raises(InputError) as error:
            self.tree.find("apple")
        assert str(error.value) == (
            "Expected a label that names one node, but got 'apple', which matches 2 nodes. "
            "Use a path: fruit/apple, juice/apple."
        )

    def test_an_unknown_name_gets_the_nearest(self) -> None:
        with pytest.raises(InputError) as error:
            self.tree.find("applr")
        assert str(error.value) == "Expected a label of the taxonomy, but got 'applr'. Nearest names: apple."

    def test_nothing_near(self) -> None:
        with pytest.raises(InputError, match="List the labels with: cladewise taxonomy show"):
            self.tree.find("qqqqq")

    def test_what_is_found_cannot_change_the_tree(self) -> None:
        self.tree.matches("apple").append(0)
        assert len(self.tree.matches("apple")) == 2


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (
            ([0, -1], ["a", "b"]),
            "Expected parents of shape [node] that begin with -1 (the root), but got array([ 0, -1]).",
        ),
        (([-1, 0], ["a"]), "Expected a name for each of 2 nodes, but got names of shape (1,)."),
        (
            ([-1, 0, 0, 1], ["a", "b", "c", "d"]),
            "Expected nodes numbered in depth-first pre-order, but got another order. "
            "Build the tree with Taxonomy.from_parents, which renumbers.",
        ),
        (
            ([-1, 2, 1], ["a", "b", "c"]),
            "Expected every node to be connected to the root, but got 2 nodes on a cycle or below one at node 1. "
            "Find the cycle with: cladewise taxonomy check.",
        ),
    ],
)
def test_arrays_that_are_no_tree(arguments: tuple[list[int], list[str]], text: str) -> None:
    with pytest.raises(InputError) as error:
        Taxonomy(*arguments)
    assert str(error.value) == text


def test_options_that_do_not_fit_the_tree() -> None:
    with pytest.raises(InputError, match="level 1 under level 1 at node a/b"):
        Taxonomy([-1, 0, 1], ["", "a", "b"], level=[0, 1, 1])
    with pytest.raises(InputError, match="Expected a name for each of 2 levels, but got 1 names"):
        Taxonomy([-1, 0, 1], ["", "a", "b"], level_names=["one"])
    with pytest.raises(InputError, match="Expected levels of shape \\[2\\] with 0 at the root"):
        Taxonomy([-1, 0], ["", "a"], level=[1, 2])
    with pytest.raises(InputError, match="Expected 2 values in column 'id', but got shape \\(1,\\)"):
        Taxonomy([-1, 0], ["", "a"], columns={"id": ["x"]})
    with pytest.raises(InputError, match="Expected exactly one root, but got 2 roots"):
        Taxonomy.from_parents([-1, -1], ["a", "b"])
    with pytest.raises(InputError, match="Expected a level from 0 to 1, but got 2"):
        Taxonomy([-1, 0], ["", "a"]).at_level(2)


@pytest.mark.slow
def test_a_star_of_a_million_leaves() -> None:
    size = 1_000_001
    tree = Taxonomy.from_parents([-1] + [0] * (size - 1), [f"n{i}" for i in range(size)])
    assert tree.num_leaves == size - 1
    assert tree.find("n777777") == 777_777
    assert int(tree.lca(5, 6)) == 0
    assert tree.level_nodes(1).size == size - 1


def test_a_chain_of_thirty_thousand() -> None:
    size = 30_001
    tree = Taxonomy.from_parents(np.arange(-1, size - 1), [f"n{i}" for i in range(size)])
    assert tree.max_depth == size - 1
    assert tree.height[0] == size - 1
    assert tree.at_level(10)[-1] == 10
    assert int(tree.lca(50, size - 1)) == 50
    assert len(tree.path(size - 1)) == size
