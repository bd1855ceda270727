"""How labels find their nodes."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cladewise import InputError, Taxonomy
from cladewise.errors import InputWarning
from cladewise.taxonomy.names.lookup import near_names
from cladewise.taxonomy.names.paths import path_steps, path_text

AWKWARD = st.text(st.sampled_from("ab/\\ é\n"), min_size=1, max_size=5)


@st.composite
def awkward_trees(draw: st.DrawFn) -> Taxonomy:
    """Trees whose names hold what paths are written with; siblings have different names."""
    size = draw(st.integers(1, 12))
    parents, names = [-1], [draw(st.one_of(st.just(""), AWKWARD))]
    for node in range(1, size):
        parent = draw(st.integers(0, node - 1))
        taken = {names[v] for v in range(1, node) if parents[v] == parent}
        parents.append(parent)
        names.append(draw(AWKWARD.filter(lambda name, taken=taken: name not in taken)))
    return Taxonomy.from_parents(parents, names)


@given(st.lists(st.text(st.sampled_from("ab/\\\n"), max_size=6), min_size=1, max_size=5))
def test_a_path_text_gives_its_names_back(names: list[str]) -> None:
    assert path_steps(path_text(names)) == tuple(names)


@given(st.lists(st.text(st.characters(exclude_characters="/\\")), min_size=1))
def test_ordinary_names_are_joined_as_they_are(names: list[str]) -> None:
    assert path_text(names) == "/".join(names)
    assert path_text([r"C:\birds", "wren"]) == r"C:\birds/wren"


@given(awkward_trees())
def test_every_path_that_is_printed_is_found_again(tree: Taxonomy) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InputWarning)
        for node in range(int(tree.synthetic_root), tree.num_nodes):
            assert tree.find(tree.path_name(node)) == node
            assert tree.find("/" + tree.path_name(node)) == node
            assert tree.find(tree.path_names(node)) == node
        nodes = range(int(tree.synthetic_root), tree.num_nodes)
        paths = [tree.path_name(node) for node in nodes]
        assert tree.find([tree.path_names(node) for node in nodes]).tolist() == list(nodes)
        assert tree.find(paths).tolist() == list(range(int(tree.synthetic_root), tree.num_nodes))


@given(awkward_trees(), AWKWARD)
def test_matches_are_those_that_a_slow_search_finds(tree: Taxonomy, name: str) -> None:
    called = [v for v in range(int(tree.synthetic_root), tree.num_nodes) if tree.names[v] == name]
    whole = [v for v in called if tree.path_names(v) == (name,)]
    found = tree.matches((name,))
    if called:
        assert found == (whole or called)


@st.composite
def labelled_trees(draw: st.DrawFn) -> tuple[Taxonomy, list[str | tuple[str, ...]]]:
    """Trees with ids and synonyms from few texts, and labels of all kinds, many of them ambiguous."""
    tree = draw(awkward_trees())
    few = st.sampled_from(["", "a", "b", "a/b", "ab", "é", "e\u0301", "a|b"])
    columns = {
        key: draw(st.lists(few, min_size=len(tree), max_size=len(tree))) for key in ("id", "synonyms", "name:fr")
    }
    tree = Taxonomy(tree.parents, tree.names, columns=draw(st.sampled_from([{}, columns])))
    nodes = st.integers(0, len(tree) - 1)
    labels = st.one_of(few, AWKWARD, nodes.map(tree.path_name), nodes.map(tree.path_names), st.tuples(few, AWKWARD))
    return tree, draw(st.lists(labels, min_size=1, max_size=20))


@given(labelled_trees())
def test_many_labels_find_what_each_finds_alone(drawn: tuple[Taxonomy, list[str | tuple[str, ...]]]) -> None:
    tree, labels = drawn
    single = [tree.matches(label) for label in labels]
    with warnings.catch_warnings(record=True, action="always") as told:
        good = [label for label, nodes in zip(labels, single, strict=True) if len(nodes) == 1]
        alone = [tree.find(label) for label in good]
        odd = {str(w.message).rstrip(".").removeprefix("1 label found by another name: ") for w in told}
        told.clear()
        assert tree.find(good, at="here").tolist() == alone
        shown = " ".join(str(warning.message) for warning in told)
        assert bool(told) == bool(odd)
        assert all(text.rstrip(".") in shown for text in odd)
        if len(good) < len(labels):
            with pytest.raises(InputError):
                tree.find(labels)


def twice(names: Sequence[str], ids: Sequence[str] = (), synonyms: Sequence[str] = ()) -> Taxonomy:
    """A star below ``top`` with columns."""
    columns = {"id": ["", *ids]} if ids else {}
    columns |= {"synonyms": ["", *synonyms]} if synonyms else {}
    return Taxonomy([-1, *[0] * len(names)], ["top", *names], columns=columns)


class TestNames:
    def test_a_slash_inside_a_name(self) -> None:
        tree = Taxonomy.from_paths([("Bags", "Luggage/Suitcases"), ("Bags", "Luggage", "Suitcases")])
        assert [tree.path_name(v) for v in (2, 4)] == [r"Bags/Luggage\/Suitcases", "Bags/Luggage/Suitcases"]
        assert [tree.find(tree.path_name(v)) for v in (2, 4)] == [2, 4]

    def test_a_short_name_with_a_slash_is_not_taken_for_a_path_in_silence(self) -> None:
        tree = Taxonomy.from_paths([("a", "b"), ("x", "a/b")])
        with pytest.warns(InputWarning, match=r"'a/b' read as a/b, whose full path it is, not as x/a\\/b"):
            assert tree.find("a/b") == 2
        assert tree.find(r"a\/b") == 4

    def test_a_name_at_the_top_comes_before_the_same_name_below_and_says_so(self) -> None:
        tree = Taxonomy.from_paths([("Mus", "Mus", "Mus musculus")])
        with pytest.warns(InputWarning, match="'Mus' read as Mus, whose full path it is, not as Mus/Mus"):
            assert tree.find("Mus") == 1
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert tree.find("/Mus") == tree.find(("Mus",)) == 1
            assert tree.find("Mus/Mus") == 2

    def test_accents_match_however_they_are_stored(self) -> None:
        tree = Taxonomy.from_paths([("fungi", "A\u0308ze\u0301")])
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert tree.find("\u00c4z\u00e9") == tree.find("fungi/\u00c4ze\u0301") == tree.find(("\u00c4z\u00e9",)) == 2

    def test_siblings_that_differ_only_in_how_accents_are_stored(self) -> None:
        tree = Taxonomy.from_paths([("e\u0301",), ("\u00e9",)])
        assert [tree.find(tree.path_name(v)) for v in (1, 2)] == [1, 2]

    @pytest.mark.parametrize("label", ["pear\u200b", "\ufeffpear", "pear\u00a0", "fruit/\u2060pear", "fruit /pear"])
    def test_a_label_that_only_looks_like_a_name_is_found_and_told(self, label: str) -> None:
        tree = Taxonomy.from_paths([("fruit", "pear")])
        with pytest.warns(InputWarning, match=r"read as 'pear', which only looks the same at labels.txt:3\."):
            assert tree.find(label, at="labels.txt:3") == 2
        assert tree.matches(label) == [2]

    def test_blanks_around_a_label_count_only_where_a_name_has_them(self) -> None:
        tree = Taxonomy.from_paths([("pear",), ("pear ",), ("plum",)])
        assert [tree.find(label) for label in (" pear", "pear ", " plum\n")] == [1, 2, 3]

    def test_a_name_with_a_zero_width_character_is_still_itself(self) -> None:
        tree = Taxonomy.from_paths([("pear",), ("pear\u200b",)])
        assert [tree.find("pear"), tree.find("pear\u200b")] == [1, 2]
        with pytest.raises(InputError, match="which matches 2 nodes"):
            tree.find("pear\u2060")

    @pytest.mark.parametrize(
        ("label", "near"),
        [
            ("granny smith", "Granny-Smith"),
            ("GRANNY_SMITH", "Granny-Smith"),
            ("apples/granny smith", "Apples/Granny-Smith"),
            ("Grany-Smith", "Granny-Smith"),
            ("st bernard", "St. Bernard"),
        ],
    )
    def test_another_spelling_is_refused_with_the_name_it_comes_near(self, label: str, near: str) -> None:
        tree = Taxonomy.from_paths([("Apples", "Granny-Smith"), ("Dogs", "St. Bernard")])
        with pytest.raises(InputError) as caught:
            tree.find(label)
        assert caught.value.advice == f"Nearest names: {near}."
        assert tree.matches(label) == []

    def test_the_root_has_no_label_where_it_has_no_name(self) -> None:
        tree = Taxonomy.from_paths([("a", "b")])
        with pytest.raises(InputError, match="a label of the taxonomy, but got ''"):
            tree.find("")
        assert tree.find(()) == 0


class TestColumns:
    def test_an_id_finds_its_node_alone_and_in_paths(self) -> None:
        tree = Taxonomy([-1, 0, 1], ["", "bird", "wren"], columns={"id": ["", "n1", "n2"]})
        assert [tree.find("n2"), tree.find("n1/n2"), tree.find("bird/n2"), tree.find(("n1", "wren"))] == [2] * 4

    def test_a_text_that_is_the_id_of_one_and_the_name_of_another_is_refused(self) -> None:
        tree = twice(["7", "wren"], ids=["a", "7"])
        with pytest.raises(InputError) as caught:
            tree.find("7")
        assert str(caught.value) == (
            "Expected a label that names one node, but got '7', which matches 2 nodes. Use a path: top/7, top/wren."
        )
        assert tree.find("top/7") == 1
        at_the_top = Taxonomy([-1, 0, 0], ["", "7", "wren"], columns={"id": ["", "a", "7"]})
        with pytest.raises(InputError, match="which matches 2 nodes"):
            at_the_top.find("7")

    def test_an_id_that_equals_its_own_name(self) -> None:
        assert twice(["a", "b"], ids=["a", "b"]).find("b") == 2

    def test_an_id_that_comes_twice_names_two(self) -> None:
        assert twice(["a", "b"], ids=["x", "x"]).matches("x") == [1, 2]

    def test_a_synonym_finds_its_node(self) -> None:
        tree = twice(["Poecile", "Parus"], synonyms=["Penthestes | chickadees", ""])
        assert [tree.find("Penthestes"), tree.find("chickadees"), tree.find("top/chickadees")] == [1] * 3

    def test_a_name_comes_before_a_synonym_and_says_so(self) -> None:
        tree = twice(["Poecile", "Parus"], synonyms=["Parus", ""])
        with pytest.warns(InputWarning, match="'Parus' read as top/Parus, whose full path it is, not as top/Poecile"):
            assert tree.find("Parus") == 2

    def test_a_label_from_another_column_is_refused_with_its_name(self) -> None:
        tree = Taxonomy([-1, 0], ["", "Turdus merula"], columns={"english": ["", "blackbird"]})
        with pytest.raises(InputError, match=r"has 1 of 1 in its column 'english', which is not a column of ids\."):
            tree.find("blackbird")


class TestMany:
    tree = Taxonomy.from_paths([("fruit", "apple"), ("fruit", "pear"), ("juice", "apple")])

    def test_each_label_has_its_node(self) -> None:
        found = self.tree.find(["pear", "juice/apple", ("fruit",), "pear"])
        assert found.tolist() == [3, 5, 1, 3]
        assert found.dtype == np.int64

    def test_labels_of_arrays_and_columns(self) -> None:
        for labels in (np.array(["pear", "fruit"]), pl.Series(["pear", "fruit"]), [["fruit", "pear"], "fruit"]):
            assert self.tree.find(labels).tolist() == [3, 1]

    def test_no_labels(self) -> None:
        assert self.tree.find([]).size == 0

    def test_numbers_are_no_labels(self) -> None:
        given: list[tuple[Any, str]] = [
            ([3, 1], "3 among them"),
            (np.array([3, 1]), "3 among them"),
            ([("fruit", 3)], r"\('fruit', 3\) among them"),
            (b"pear", "b'pear'"),
            (np.array("pear"), r"array\('pear'"),
        ]
        for labels, shown in given:
            with pytest.raises(InputError, match=f"sequences? of names, but got {shown}"):
                self.tree.find(labels)

    def test_all_that_are_wrong_are_told_at_once(self) -> None:
        with pytest.raises(InputError) as caught:
            self.tree.find(["pair", "apple", "", "qqqqqq", "pear"], at="list.txt", place=lambda label: f"<{label}>")
        assert str(caught.value) == (
            "Expected labels that each name one node of the taxonomy, but got 4 that do not: 'pair' (nearest: 'pear') "
            "in <pair>; 'apple' (fruit/apple or juice/apple) in <apple>; a blank label in <>; 'qqqqqq' in <qqqqqq> "
            "at list.txt. Correct them, or add them to the taxonomy; if a name repeats, give the path."
        )

    def test_labels_that_all_differ_in_one_way_are_told_so(self) -> None:
        with pytest.raises(InputError, match="2 differ from names only in case, blanks, hyphens, underscores or dots"):
            self.tree.find(["Pear", "FRUIT"])
        codes = Taxonomy([-1, 0, 0], ["", "a", "b"], columns={"code": ["", "x1", "x2"]})
        with pytest.raises(InputError, match="The taxonomy has 2 of 2 in its column 'code'"):
            codes.find(["x1", "x2"])

    def test_labels_that_only_look_right_are_told_once(self) -> None:
        with pytest.warns(InputWarning) as caught:
            assert self.tree.find(["pear\u200b", "pear\u00a0", "pear"], at="list.txt").tolist() == [3, 3, 3]
        assert [str(warning.message) for warning in caught] == [
            r"2 labels matched only approximately: 'pear\u200b' read as 'pear', which only looks the same; "
            r"'pear\xa0' read as 'pear', which only looks the same at list.txt."
        ]


def test_the_nearest_of_many_names() -> None:
    size = 150_000
    tree = Taxonomy([-1, *[0] * size], ["", *(f"Species {number:06d}" for number in range(size - 1)), "Troglodytes"])
    assert near_names(tree, "Troglodites") == ["Troglodytes"]
    with pytest.raises(InputError, match=r"Nearest names: Species 123456\."):
        tree.find("species-123456")
