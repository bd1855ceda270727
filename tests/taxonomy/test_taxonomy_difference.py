"""``diff`` tells by path what was added, removed, moved and renamed."""

from __future__ import annotations

from cladewise.taxonomy import Taxonomy, TaxonomyDifference, diff

OLD = [("fruit", "apple", "fuji"), ("fruit", "tomato", "roma"), ("drink", "juice"), ("drink", "milk")]


def test_no_difference() -> None:
    change = diff(Taxonomy.from_paths(OLD), Taxonomy.from_paths(reversed(OLD)))
    assert change == TaxonomyDifference()
    assert not change


def test_a_subtree_that_moved_is_told_once() -> None:
    new = [("fruit", "apple", "fuji"), ("vegetable", "tomato", "roma"), ("drink", "juice"), ("drink", "milk")]
    assert diff(Taxonomy.from_paths(OLD), Taxonomy.from_paths(new)) == TaxonomyDifference(
        added=(("vegetable",),), moved=((("fruit", "tomato"), ("vegetable", "tomato")),)
    )


def test_changes_of_case_do_not_hide_what_lies_below() -> None:
    new = [("Fruit", "apple", "fuji"), ("Fruit", "tomato", "roma "), ("drink", "milk"), ("drink", "soda")]
    assert diff(Taxonomy.from_paths(OLD), Taxonomy.from_paths(new)) == TaxonomyDifference(
        added=(("drink", "soda"),),
        removed=(("drink", "juice"),),
        renamed=((("fruit",), ("Fruit",)), (("fruit", "tomato", "roma"), ("Fruit", "tomato", "roma "))),
    )


def test_names_that_repeat_are_not_taken_for_moves() -> None:
    old = Taxonomy.from_paths([("a", "x"), ("b", "x")])
    new = Taxonomy.from_paths([("c", "x"), ("d", "x")])
    change = diff(old, new)
    assert change.moved == ()
    assert (len(change.added), len(change.removed)) == (4, 4)


def test_an_exact_name_wins_over_a_similar_one() -> None:
    old = Taxonomy.from_paths([("A",), ("a",)])
    new = Taxonomy.from_paths([("a",)])
    assert diff(old, new) == TaxonomyDifference(removed=(("A",),))


def test_a_root_with_another_name() -> None:
    change = diff(Taxonomy([-1, 0], ["food", "x"]), Taxonomy([-1, 0], ["Food", "x"]))
    assert change == TaxonomyDifference(renamed=((("food",), ("Food",)),))


def test_further_parents_that_were_gained_and_lost() -> None:
    names = ["food", "fruit", "fig", "vegetable", "tomato"]
    old = Taxonomy([-1, 0, 1, 0, 3], names, further_parents=[(4, 1)])
    new = Taxonomy([-1, 0, 1, 0, 3], names, further_parents=[(2, 3)])
    change = diff(old, new)
    fruit, vegetable = ("food", "fruit"), ("food", "vegetable")
    assert bool(change)
    assert change.parents_removed == (((*vegetable, "tomato"), fruit),)
    assert change.parents_added == (((*fruit, "fig"), vegetable),)
    assert not diff(old, old)
