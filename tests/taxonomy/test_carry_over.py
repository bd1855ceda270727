"""The map from an old tree to a new one: against a slow twin, its files, and chains of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cladewise.errors import InputError
from cladewise.taxonomy import Taxonomy
from cladewise.taxonomy.carry_over import CarryOver
from cladewise.taxonomy.correspondence import Correspondence
from reference.carry_twin import place_of
from reference.random_edits import random_edits
from strategies import label_trees, taxonomies


@st.composite
def edited(draw: st.DrawFn) -> Correspondence:
    """A random tree after random edits."""
    tree = draw(taxonomies(max_nodes=14, min_nodes=3))
    return random_edits(tree, draw(st.integers(0, 8)), draw(st.integers(0, 10**6)))[0]


@given(edited())
def test_every_node_is_placed_as_the_slow_twin_places_it(found: Correspondence) -> None:
    carried = CarryOver.of(found)
    assert carried.place.tolist() == [place_of(found, node) for node in range(found.old.num_nodes)]


@given(edited())
def test_what_is_untouched_has_a_place_to_itself_with_all_that_was_under_it(found: Correspondence) -> None:
    carried, old = CarryOver.of(found), found.old
    for node in range(old.num_nodes):
        under = range(node, int(old.end[node]))
        kept = all(carried.after.contains(carried.place[node], carried.place[w]) for w in under)
        assert bool(carried.keeps_content[node]) == kept
        alone = np.flatnonzero(carried.place == carried.place[node]).tolist() == [node]
        inside = np.flatnonzero(carried.after.contains(carried.place[node], carried.place)).tolist() == list(under)
        assert bool(carried.same_content[node]) == (inside and found.counterparts(node).size == 1)
        single = found.counterparts(node).size == 1
        assert bool(carried.untouched[node]) == (kept and alone and single)
        above = [u for u in old.path(node)[:-1] if carried.identified[u] and carried.place[u] == carried.place[node]]
        assert bool(carried.nested[node]) == (bool(carried.identified[node]) and bool(above))


@given(edited(), st.integers(0, 10**6))
def test_a_chain_places_nodes_where_its_steps_do(found: Correspondence, seed: int) -> None:
    first, second = CarryOver.of(found), CarryOver.of(random_edits(found.new, 4, seed)[0])
    both = first.then(second)
    assert both.place.tolist() == second.place[first.place].tolist()
    assert (both.before, both.after) == (first.before, second.after)
    if first.after != first.before:
        with pytest.raises(InputError, match="Expected a map from"):
            first.then(first)


@given(label_trees(apart=True))
def test_a_map_survives_its_file_whatever_the_names_are(
    tmp_path_factory: pytest.TempPathFactory, tree: Taxonomy
) -> None:
    path = tmp_path_factory.mktemp("map") / "answers.csv"
    found = random_edits(tree, 5, 0)[0]
    carried = CarryOver.of(found)
    carried.write(path)
    again = CarryOver.read(path, found.old, found.new)
    assert again.place.tolist() == carried.place.tolist()
    assert again.identified.tolist() == carried.identified.tolist()
    assert again.fingerprint == carried.fingerprint


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("node,identified,before,after\nx,1,,\n", "the columns node, identified, before, after"),
        ("node,identified,before,after\n0,1,,\n", "a row for each node"),
        ("node,identified,before,after\n0,1,,\n7,1,a,a\n", "places in"),
        ("node,identified,before,after\n0,1,,\n1,1,a,b\n", "places in"),
    ],
)
def test_a_file_that_is_no_map_of_these_trees_is_refused(tmp_path: Path, content: str, said: str) -> None:
    tree = Taxonomy.from_paths([("a",)])
    path = tmp_path / "answers.csv"
    path.write_text(content)
    with pytest.raises(InputError, match=f"Expected {said}.*answers.csv"):
        CarryOver.read(path, tree, tree)


def test_rows_that_a_person_must_decide_are_refused_in_one_line() -> None:
    tree = Taxonomy.from_paths([("a",), ("b",)])
    found = Correspondence.from_pairs(tree, tree, [(1, 1), (2, 2)], ask=[False, True])
    with pytest.raises(InputError, match=r"decided, but got 1 with ask.*cladewise taxonomy match") as raised:
        CarryOver.of(found)
    assert "\n" not in str(raised.value)
