"""Names that a person would take for a slip, found without comparing each with each."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from cladewise.taxonomy import Taxonomy, check
from cladewise.taxonomy.checks.odd_names import (
    is_slip,
    names_of_tree,
    shape_problems,
    sight_problems,
    spelling_problems,
)
from cladewise.taxonomy.formats.checking import examine
from cladewise.taxonomy.formats.options import ReadOptions


def nearly(*labels: str) -> list[str]:
    return [problem.text for problem in spelling_problems(names_of_tree(Taxonomy.from_paths([(x,) for x in labels])))]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("Granny Smith", "Granny-Smith"),
        ("Granny Smith", "grannysmith"),
        ("Pink_Lady", "Pink Lady"),
        ("apple", "apples"),
        ("cherry", "cherries"),
        ("peach", "peaches"),
        ("Pézize", "Pezize"),
        ("mackerel", "mackeral"),
        ("strawberry", "strawbery"),
        ("cheetah", "cheetha"),
        ("robin", "robbin"),
        ("it's", "its"),
    ],
)
def test_one_label_in_two_spellings(first: str, second: str) -> None:
    assert nearly(first, "another", second) == [f"{second!r} is nearly {first!r}"]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("Boeing 737-300", "Boeing 737-400"),
        ("vitamin A", "vitamin B"),
        ("parrot", "carrot"),
        ("horse", "house"),
        ("C", "C++"),
        ("cat", "rat"),
        ("bass", "bas"),
        ("Apple", "apple"),  # told as near-duplicate
    ],
)
def test_different_labels(first: str, second: str) -> None:
    assert nearly(first, "another", second) == []


def test_across_branches_by_line(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("group,kind\nfruit,Granny Smith\nfruit,pear\njuice,Granny-Smith\n")
    assert [str(problem) for problem in check(tmp_path / "t.csv")] == [
        "4: warning: 'Granny-Smith' is nearly 'Granny Smith' (line 2) [spelling]"
    ]


def test_a_node_and_its_parent_may_be_alike() -> None:
    tree = Taxonomy.from_paths([("wrens", "wren"), ("wrens", "winter wren"), ("owls", "barn owl")])
    assert spelling_problems(names_of_tree(tree)) == []


def test_a_slip_is_the_same_both_ways() -> None:
    words = ["mackerel", "mackeral", "mackrel", "mackerels", "macerkel", "mackerle", "mackerel1", "", "m"]
    for first in words:
        for second in words:
            assert is_slip(first, second) == is_slip(second, first)


def test_characters_that_cannot_be_seen() -> None:
    tree = Taxonomy.from_paths([("pear\u200b",), ("pear",), ("co\u00adoperate",), ("\u2764\ufe0f\u200d\U0001f525",)])
    found = [(problem.kind, problem.text) for problem in sight_problems(names_of_tree(tree))]
    assert found[:2] == [
        ("zero-width", "an invisible character in 'pear\\u200b'"),
        ("zero-width", "an invisible character in 'co\\u00adoperate'"),
    ]
    assert [kind for kind, _ in found[2:]] == ["near-duplicate"]  # and none of the emoji, whose joiner joins


def test_levels_that_divide_nothing() -> None:
    levels = ["domain", "order", "family", "species"]
    rows = [("all", "a", "f", "s"), ("all", "b", "g", "t"), ("all", "c", "h", "u"), ("all", "c", "h", "v")]
    assert [problem.text for problem in shape_problems(Taxonomy.from_paths(rows, level_names=levels))] == [
        "level 'domain' has one node, 'all'",
        "each of the 3 nodes of level 'order' has one of 'family'",
    ]


def test_an_examination_has_the_tree_where_there_is_one(tmp_path: Path) -> None:
    pl.DataFrame({"child": ["a", "b"], "parent": ["", "a"]}).write_csv(tmp_path / "t.csv")
    found = examine(tmp_path / "t.csv", ReadOptions())
    assert found.taxonomy is not None
    assert (found.taxonomy.num_nodes, found.problems, found.num_errors) == (2, [], 0)
    found = examine(tmp_path / "t.csv", ReadOptions(format="levels", header="first"))
    assert found.taxonomy is not None
    found = examine(tmp_path / "t.csv", ReadOptions(format="json"))
    assert (found.taxonomy, found.num_errors) == (None, 1)
