"""Nodes found by synonym, former id and names in many languages."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cladewise import InputError, Taxonomy
from cladewise.errors import InputWarning
from cladewise.taxonomy.names.columns import join_names, split_names
from cladewise.taxonomy.names.sameness import composed

OTHERS = ("synonyms", "former_ids", "name:fr", "name:de", "name:und")
FEW = st.sampled_from(["a", "b", "ab", "A", "é", "e\u0301", "a|b", "c", "d", "e", "f"])


@st.composite
def named_trees(draw: st.DrawFn) -> Taxonomy:
    """Trees whose nodes have texts of every kind, from few texts, so that many texts are ambiguous."""
    size = draw(st.integers(1, 7))
    parents = [-1, *(draw(st.integers(0, node - 1)) for node in range(1, size))]
    names = [draw(st.one_of(st.just(""), FEW)), *(draw(FEW) for _ in range(1, size))]
    cells = st.one_of(st.just([]), st.lists(FEW, max_size=3)).map(join_names)
    columns = {key: [draw(cells) for _ in range(size)] for key in draw(st.sets(st.sampled_from(OTHERS)))}
    columns |= {"id": [draw(st.one_of(st.just(""), FEW)) for _ in range(size)]} if draw(st.booleans()) else {}
    return Taxonomy.from_parents(parents, names, columns=columns)


def texts(tree: Taxonomy) -> Iterator[tuple[int, str]]:
    """Each node with each of its texts."""
    for node in range(int(tree.synthetic_root), len(tree)):
        yield node, str(tree.names[node])
        for column, cells in tree.columns.items():
            yield from ((node, text) for text in ([str(cells[node])] if column == "id" else split_names(cells[node])))


def slow_matches(tree: Taxonomy, label: str) -> tuple[list[int], bool]:
    """The nodes of a label without slashes, by the rules as the documentation has them, and whether by another name."""
    nodes = range(int(tree.synthetic_root), len(tree))
    called = [v for v in nodes if composed(tree.names[v]) == composed(label)]
    at_top = [v for v in called if len(tree.path_names(v)) == 1]
    at_top = [v for v in at_top if tree.names[v] == label] or at_top
    called = [v for v in called if tree.names[v] == label] or called
    ids = [v for v in range(len(tree)) if "id" in tree.columns and composed(tree.columns["id"][v]) == composed(label)]
    if at_top and set(ids) <= set(at_top) and len(at_top) == 1:
        return at_top, False
    if called or ids:
        return sorted({*called, *ids}), False
    others = [
        v
        for v in range(len(tree))
        for column in OTHERS
        if column in tree.columns and composed(label) in map(composed, split_names(tree.columns[column][v]))
    ]
    return sorted(set(others)), bool(others)


@given(named_trees())
def test_every_text_of_every_kind_is_found_or_refused_as_ambiguous(tree: Taxonomy) -> None:
    for node, text in texts(tree):
        if not text:
            continue
        nodes, other = slow_matches(tree, text)
        assert tree.matches(text) == tree.matches((text,)) == nodes, text
        assert nodes
        with warnings.catch_warnings(record=True, action="always") as told:
            if len(nodes) == 1:
                assert tree.find(text) == tree.find([text])[0] == nodes[0]
                assert sum("found by another name" in str(warning.message) for warning in told) == 2 * other
                if other and nodes == [node]:
                    assert repr(text) in str(told[0].message)
            else:
                for labels in (text, [text]):
                    with pytest.raises(InputError) as caught:
                        tree.find(labels)
                    assert all((tree.path_name(v) or "the root") in str(caught.value) for v in nodes[:3])


@given(named_trees())
def test_a_path_may_have_any_text_of_a_node_at_each_step(tree: Taxonomy) -> None:
    known = [(node, composed(text)) for node, text in texts(tree) if text]
    own = {(v, composed(tree.names[v])) for v in tree}
    own |= {(v, composed(tree.columns["id"][v])) for v in tree if "id" in tree.columns}
    for parent, above in known:
        for text in {text for node, text in known if tree.parents[node] == parent}:
            of_text, of_above = ({v for v, other in known if other == wanted} for wanted in (text, above))
            fitting = [v for v in sorted(of_text) if int(tree.parents[v]) in of_above]
            first = [v for v in fitting if {(v, text), (int(tree.parents[v]), above)} <= own]
            whole = [v for v in first if tuple(map(composed, tree.path_names(v))) == (above, text)]
            found = tree.matches((above, text))
            assert found == (first or fitting) or (len(found) == 1 and found[0] in whole)


def cats(**columns: list[str]) -> Taxonomy:
    """Two cats below their family, with columns."""
    ids = {"ids": "id", "de": "name:de", "fr": "name:fr", "und": "name:und"}
    named = {ids.get(key, key): ["", "", *cells] for key, cells in columns.items()}
    return Taxonomy([-1, 0, 1, 1], ["", "Felidae", "Puma", "Lynx"], columns=named)


class TestOne:
    @pytest.mark.parametrize(
        ("label", "kind"),
        [
            ("Felis concolor", "synonym of Puma"),
            ("itis-55", "former id of Puma"),
            ("cougar", "name in fr, de of Puma"),
            ("Berglöwe", "name in de of Puma"),
            ("Berglo\u0308we", "name in de of Puma"),
            ("mountain lion", "vernacular name of Puma"),
            ("Felidae/Felis concolor", "synonym of Puma"),
        ],
    )
    def test_another_name_finds_its_node_and_says_what_it_is(self, label: str, kind: str) -> None:
        tree = cats(
            synonyms=["Felis concolor", ""],
            former_ids=["itis-54|itis-55", ""],
            fr=["cougar|puma", ""],
            de=["Berglöwe|cougar", "Luchs"],
            und=["mountain lion", ""],
        )
        with pytest.warns(InputWarning) as caught:
            assert tree.find(label, at="here") == 2
        assert [str(warning.message) for warning in caught] == [
            f"1 label found by another name: {str(caught[0].message).split(': ')[1].split(' (')[0]} ({kind}) at here."
        ]

    def test_a_synonym_of_one_that_is_a_name_of_another_in_a_language_is_refused(self) -> None:
        tree = cats(synonyms=["Katze", ""], de=["", "Katze"])
        with pytest.raises(
            InputError, match=r"'Katze', which matches 2 nodes \(synonym, name in de\)\. Use a path: Felidae/Puma, "
        ):
            tree.find("Katze")

    def test_common_names_are_no_keys(self) -> None:
        tree = cats(de=["Katze", "Katze"])
        for labels in ("Katze", ["Katze", "Puma"]):
            with pytest.raises(InputError, match=r"'Katze'.*Felidae/Puma.*Felidae/Lynx"):
                tree.find(labels)
        assert tree.matches("Katze") == [2, 3]

    def test_a_live_id_comes_before_a_former_one_and_says_so(self) -> None:
        tree = cats(ids=["7", "8"], former_ids=["", "7"])
        with pytest.warns(InputWarning, match="'7' read as Felidae/Puma, whose full path it is, not as Felidae/Lynx"):
            assert tree.find("7") == 2

    def test_case_is_refused_with_the_name_and_what_it_is(self) -> None:
        tree = cats(de=["Berglöwe", "Luchs"])
        with pytest.raises(InputError, match=r"Nearest names: Berglöwe \(name in de of Puma\)\."):
            tree.find("berglöwe")
        with pytest.raises(InputError, match=r"'luchs' \(nearest: 'Luchs \(name in de of Lynx\)'\)"):
            tree.find(["luchs"])

    def test_another_name_that_only_looks_right(self) -> None:
        with pytest.warns(InputWarning) as caught:
            assert cats(de=["Berg Löwe", ""]).find("Berg\u00a0Löwe") == 2
        assert [str(warning.message) for warning in caught] == [
            r"'Berg\xa0Löwe' read as 'Berg Löwe', which only looks the same.",
            r"1 label found by another name: 'Berg\xa0Löwe' (name in de of Puma).",
        ]

    def test_a_name_shared_by_other_nodes_is_told_by_path(self) -> None:
        tree = Taxonomy([-1, 0, 0], ["top", "x", "x"], columns={"synonyms": ["", "y", "z"]})
        with pytest.warns(InputWarning, match=r"'z' \(synonym of top/x\)"):
            assert tree.find("z") == 2


class TestMany:
    def test_one_line_tells_of_all(self) -> None:
        tree = cats(synonyms=["Felis concolor", "Felis lynx"], de=["Berglöwe", "Luchs"])
        labels = ["Felis lynx", "Puma", "Luchs", "Felis lynx"]
        with pytest.warns(InputWarning) as caught:
            assert tree.find(labels, at="list.txt", place=lambda label: f"<{label}>").tolist() == [3, 2, 3, 3]
        assert [str(warning.message) for warning in caught] == [
            "2 labels found by other names: 'Felis lynx' (synonym of Lynx) in <Felis lynx>, "
            "'Luchs' (name in de of Lynx) in <Luchs> at list.txt."
        ]

    def test_a_name_that_is_another_nodes_in_the_language_of_the_others_is_told(self) -> None:
        tree = Taxonomy(
            [-1, 0, 1, 0, 3],
            ["", "Puma", "Puma concolor", "Lynx", "Lynx lynx"],
            columns={"name:de": ["", "", "Puma", "", "Luchs"]},
        )
        with pytest.warns(InputWarning) as caught:
            assert tree.find(["Puma", "Luchs"]).tolist() == [1, 4]
        assert [str(warning.message) for warning in caught] == [
            "1 label found by another name: 'Luchs' (name in de of Lynx lynx).",
            "1 label taken by name or id, although others are names in a language: "
            "'Puma' (also name in de of Puma concolor).",
        ]
        with warnings.catch_warnings(action="error"):
            assert tree.find(["Puma", "Lynx"]).tolist() == [1, 3]

    def test_many_labels_are_found_as_each_alone(self) -> None:
        size = 300
        names = [f"species {number}" for number in range(size)]
        columns = {
            "synonyms": ["", *(f"old {number // 2}" for number in range(size))],
            "name:fr": ["", *(f"espèce {number}|e {number}" for number in range(size))],
        }
        tree = Taxonomy([-1, *[0] * size], ["", *names], columns=columns)
        labels = [text for number in range(size) for text in (f"e {number}", f"espèce {number}", names[number])]
        with pytest.warns(InputWarning, match="600 labels found by other names: 'e 0'") as caught:
            assert tree.find(labels).tolist() == [1 + number // 3 for number in range(3 * size)]
        assert len(caught) == 1
        assert len(str(caught[0].message)) < 2000
        with pytest.raises(InputError, match=r"150 that do not: 'old 0' \(species 0 or species 1: synonym\)"):
            tree.find(["e 1", *(f"old {number}" for number in range(150))])
