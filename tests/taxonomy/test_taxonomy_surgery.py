"""Trees that are wrong on purpose: what every surgery keeps, what it changes, and slow twins."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from cladewise import InputError, Taxonomy
from cladewise.taxonomy.alteration import ORIGIN, Alteration
from cladewise.taxonomy.level_choice import chosen_levels
from cladewise.taxonomy.surgery import random_hierarchy, with_wrong_parents, without_levels
from reference import surgery_twin as twin
from reference.small_trees import ragged_taxonomies
from strategies import taxonomies

seeds = st.integers(0, 10**6)
trees = st.one_of(taxonomies(), ragged_taxonomies(), taxonomies(60))


def square(parents: int = 4, children: int = 5) -> Taxonomy:
    return Taxonomy.from_paths([(f"p{a}", f"c{a}{b}") for a in range(parents) for b in range(children)])


def same(first: Alteration, second: Alteration) -> bool:
    return first.own == second.own and np.array_equal(first.origin, second.origin)


def check_nodes(change: Alteration) -> None:
    """Laws after any surgery: a tree with the same leaves, whose nodes are nodes of the true one."""
    own, true = change.own, change.true
    assert Taxonomy(own.parents, own.names, level=own.level, level_names=own.level_names).num_nodes == own.num_nodes
    assert sorted(change.origin[own.leaf_nodes]) == true.leaf_nodes.tolist()
    assert own.names.tolist() == true.names[change.origin].tolist()
    assert change.own_node.tolist() == [twin.own_node(change, v) for v in true]
    assert own.leaf_nodes[change.own_leaf].tolist() == [twin.own_node(change, v) for v in true.leaf_nodes.tolist()]
    assert change.keeps_groups == twin.keeps_groups(change)


@given(trees, seeds)
def test_a_random_hierarchy_has_the_same_shape(taxonomy: Taxonomy, seed: int) -> None:
    change = random_hierarchy(taxonomy, seed)
    check_nodes(change)
    assert change.own.parents.tolist() == taxonomy.parents.tolist()
    assert change.own.level.tolist() == taxonomy.level.tolist()
    assert twin.group_sizes(change.own) == twin.group_sizes(taxonomy)
    inner = ~taxonomy.is_leaf
    assert change.origin[inner].tolist() == np.flatnonzero(inner).tolist()
    assert same(change, random_hierarchy(taxonomy, seed))


def test_every_order_of_the_leaves_comes_up_equally_often() -> None:
    taxonomy = Taxonomy.from_paths([("a", "x"), ("a", "y"), ("b", "z")])
    seen = Counter(tuple(random_hierarchy(taxonomy, seed).origin[taxonomy.leaf_nodes]) for seed in range(600))
    assert len(seen) == 6
    assert min(seen.values()) > 70


@given(trees, st.floats(0, 1), seeds)
def test_wrong_parents_move_exactly_the_share(taxonomy: Taxonomy, share: float, seed: int) -> None:
    try:
        change = with_wrong_parents(taxonomy, share, seed)
    except InputError:  # there are not so many that can move
        assume(False)
        raise
    check_nodes(change)
    moved = twin.with_another_parent(change)
    assert len(moved) == round(share * taxonomy.num_leaves)
    own, origin = change.own, change.origin
    assert own.level.tolist() == taxonomy.level[origin].tolist()
    for v in own:
        if v:  # the level of the parent is the one it was, and only leaves moved
            above, before = origin[own.parents[v]], taxonomy.parents[origin[v]]
            assert taxonomy.level[above] == taxonomy.level[before]
            assert above == before or own.is_leaf[v]
    # a level keeps the numbers of children of its nodes unless one parent has more than half of what moved there
    for level in set(taxonomy.level[taxonomy.parents[moved]].tolist()) if moved else ():
        parents = [int(taxonomy.parents[v]) for v in moved if taxonomy.level[taxonomy.parents[v]] == level]
        lost = max(0, 2 * max(Counter(parents).values()) - len(parents))
        of_level = [v for v in taxonomy if taxonomy.level[v] == level]
        now = [int(own.num_children[change.own_node[v]]) for v in of_level]
        change_of_size = [b - int(taxonomy.num_children[v]) for v, b in zip(of_level, now, strict=True)]
        assert sum(change_of_size) == 0
        assert sum(abs(c) for c in change_of_size) <= 2 * lost
    assert same(change, with_wrong_parents(taxonomy, share, seed))


@pytest.mark.parametrize("share", [0.1, 0.2, 0.5, 1.0])
def test_wrong_parents_exchange_where_they_can(share: float) -> None:
    taxonomy = square()
    for seed in range(20):
        change = with_wrong_parents(taxonomy, share, seed)
        assert len(twin.with_another_parent(change)) == round(share * 20)
        assert twin.group_sizes(change.own) == twin.group_sizes(taxonomy)


def test_leaves_that_move_together_do_not_stay_together() -> None:
    """Each goes where chance leads it, not all of a parent's under the next one."""
    change = with_wrong_parents(square(10, 20), 1.0, seed=0)
    own = change.own
    for parent in own.children(0).tolist():
        brothers = Counter(int(change.true.parents[change.origin[v]]) for v in own.children(parent))
        assert len(brothers) > 4


def test_two_parents_with_the_same_number_of_leaves_can_only_change_them_all() -> None:
    change = with_wrong_parents(square(2, 300), 1.0, seed=1)
    assert len(twin.with_another_parent(change)) == 600
    assert change.own.num_children[change.own.children(0)].tolist() == [300, 300]


def test_what_cannot_be_exchanged_moves_and_no_parent_is_left_empty() -> None:
    paths = [("many", f"m{k}") for k in range(9)] + [("one", "x"), ("other", "inner", "y")]
    taxonomy = Taxonomy.from_paths(paths)
    for seed in range(30):
        change = with_wrong_parents(taxonomy, 9 / 11, seed)
        assert len(twin.with_another_parent(change)) == 9
        assert change.own.num_leaves == 11


@given(trees, seeds)
def test_no_share_is_no_change(taxonomy: Taxonomy, seed: int) -> None:
    assert with_wrong_parents(taxonomy, 0.0, seed).is_none
    assert without_levels(taxonomy, []).is_none
    assert Alteration.none(taxonomy).keeps_groups


@given(trees, st.data())
def test_levels_that_go_leave_their_children_to_what_is_above(taxonomy: Taxonomy, data: st.DataObject) -> None:
    assume(taxonomy.num_levels > 1)
    levels = data.draw(st.sets(st.integers(1, taxonomy.num_levels - 1)))
    change = without_levels(taxonomy, levels)
    check_nodes(change)
    assert twin.paths_in(change) == twin.paths_without(taxonomy, levels)
    assert change.keeps_groups
    stay = [name for level, name in enumerate(taxonomy.level_names, start=1) if level not in levels]
    assert list(change.own.level_names) == stay
    for v in change.own:
        level = int(taxonomy.level[change.origin[v]])
        name = change.own.level_names[change.own.level[v] - 1] if v else ""
        if level not in levels:
            assert name == (taxonomy.level_names[level - 1] if v else "")
        else:
            assert taxonomy.is_leaf[change.origin[v]]
            assert taxonomy.level_names.index(name) + 1 == min(
                k for k in range(level, taxonomy.num_levels + 1) if k not in levels
            )


@given(trees, seeds, st.data())
def test_surgeries_follow_one_another(taxonomy: Taxonomy, seed: int, data: st.DataObject) -> None:
    assume(taxonomy.num_levels > 1)
    levels = data.draw(st.sets(st.integers(1, taxonomy.num_levels - 1)))
    first = random_hierarchy(taxonomy, seed)
    both = first.then(without_levels(first.own, levels))
    check_nodes(both)
    assert same(Alteration.none(taxonomy).then(first), first)
    assert same(first.then(Alteration.none(first.own)), first)


def test_a_level_whose_name_has_a_space_has_it() -> None:
    taxonomy = Taxonomy.from_paths([("a", "b")], level_names=["super family", "species"])
    assert chosen_levels("super family", taxonomy) == chosen_levels("1", taxonomy) == (1,)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    taxonomy = Taxonomy.from_paths(
        [("a", "b", "x"), ("a", "c", "x"), ("a", "y"), ("d", "d"), ("z",)], level_names=["order", "family", "species"]
    )
    own, true = tmp_path / "taxonomy.csv", tmp_path / "true_taxonomy.csv"
    for change in (without_levels(taxonomy, [2]), with_wrong_parents(taxonomy, 0.4, 0), random_hierarchy(taxonomy, 1)):
        change.write(own, true)
        again = Alteration.read(own, true)
        assert same(again, change)
        assert again.true == taxonomy
        assert again.own.level_names == change.own.level_names
        assert ORIGIN in Taxonomy.read(own).columns
    true.unlink()
    Alteration.none(taxonomy).write(own, true)
    assert not true.exists()
    assert Alteration.read(own, true).is_none
    taxonomy.write(true)
    with pytest.raises(InputError, match=r"a node table with the column true_node, but got none at .*taxonomy\.csv"):
        Alteration.read(own, true)


def test_ids_go_with_their_nodes(tmp_path: Path) -> None:
    taxonomy = Taxonomy.from_parents(
        [-1, 0, 0, 1, 1, 2, 2], list("rabcdef"), columns={"id": [f"id-{name}" for name in "rabcdef"]}
    )
    change = with_wrong_parents(taxonomy, 0.5, 3)
    change.write(tmp_path / "own.csv", tmp_path / "true.csv")
    again = Taxonomy.read(tmp_path / "own.csv")
    assert [f"id-{name}" for name in again.names] == again.columns["id"].tolist()


MISTAKES = {
    "share": (lambda t: with_wrong_parents(t, 1.5, 0), r"a share of the leaves in \[0, 1\], but got 1.5"),
    "too many": (
        lambda t: with_wrong_parents(t, 1.0, 0),
        r"can move to another parent of the same level, but got 5 leaves \(4 of 5 can move\)\. .* at most 0\.8\.",
    ),
    "flat": (lambda _: with_wrong_parents(Taxonomy.from_paths([("a",), ("b",)]), 0.5, 0), r"\(0 of 2 can move\)"),
    "chains": (
        lambda _: with_wrong_parents(Taxonomy.from_paths([("a", "x"), ("b", "y")]), 0.5, 0),
        "leaves with siblings, but got 1 leaf without siblings. Move a larger share",
    ),
    "level": (lambda t: without_levels(t, [3]), "a level to drop from 1 to 1, but got 3"),
    "finest": (lambda t: without_levels(t, [2]), "a level to drop from 1 to 1, but got 2. The finest level contains"),
    "one level": (
        lambda _: without_levels(Taxonomy.from_paths([("a",)]), [1]),
        "other than the finest, and there is only one",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_what_cannot_be_is_told(mistake: str) -> None:
    call, message = MISTAKES[mistake]
    taxonomy = Taxonomy.from_paths([("a", "v"), ("a", "w"), ("b", "x"), ("b", "y"), ("z",)])
    with pytest.raises(InputError, match=message):
        call(taxonomy)


def test_what_does_not_belong_together_is_refused() -> None:
    taxonomy = square(2, 2)
    for origin in ([0, 1, 2, 3, 4, 5], [0, 1, 2, 3, 4, 5, 5], [0, 2, 1, 3, 4, 5, 6], [0, 1, 2, 3, 4, 5, 9]):
        with pytest.raises(InputError):
            Alteration(taxonomy, taxonomy, np.array(origin))
