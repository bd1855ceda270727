"""JSON and YAML: each form that a tree is read from, and what a document of another form is refused with."""

# ruff: noqa: E501  (an error text stays on one line)

from __future__ import annotations

import json
import os
import random
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from cladewise.errors import InputError, InputWarning
from cladewise.taxonomy import Taxonomy, read, write
from cladewise.taxonomy.formats.documents import yaml_tree
from cladewise.taxonomy.formats.documents.nesting import nested_from_taxonomy, taxonomy_from_nested

strict = pytest.mark.filterwarnings("error::cladewise.errors.InputWarning")
KNOWN = "Expected a known form: names in names .*; nodes with children .*; a graph .*; records .*, but got "


def paths(tree: Taxonomy) -> list[str]:
    return [tree.path_name(node) for node in tree][1 if tree.synthetic_root else 0 :]


def reading(folder: Path, content: str | bytes, file_name: str = "t.json", **options: Any) -> Taxonomy:
    file = folder / file_name
    file.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass"))
    return read(file, **options)


@strict
class TestNames:
    def test_mappings_lists_and_names(self) -> None:
        tree = taxonomy_from_nested({"a": {"b": ["c", {"d": "e"}], "f": None}, "g": "h", "i": []})
        assert paths(tree) == ["a", "a/b", "a/b/c", "a/b/d", "a/b/d/e", "a/f", "g", "g/h", "i"]
        assert tree.synthetic_root
        assert paths(taxonomy_from_nested(["a", {"b": ["c"]}, 3])) == ["a", "b", "b/c", "3"]

    def test_one_name_at_the_top_is_the_root_unless_it_is_blank(self) -> None:
        assert not taxonomy_from_nested({"a": ["b"]}).synthetic_root
        assert paths(taxonomy_from_nested({"": {"a": ["b"]}})) == ["a", "a/b"]

    @pytest.mark.parametrize(
        ("document", "because"),
        [
            ({"0": ["fish", "tench"], "1": ["bird", "wren"]}, "keys that count from 0"),
            ({"1": "tench", "2": "goldfish"}, "keys that count from 1"),
            ({"tench": 0, "goldfish": 1}, "a text for every key"),
            ({"wren": "bird", "robin": "bird"}, "which could be the parent as well as the child"),
            ({"bird": {"wren": "x", "robin": "x", "owl": None}}, "the same text for several keys in /bird"),
            ({"bird": ["wren"], "wren": ["winter wren"]}, "'wren' both as a key and under 'bird'"),
            ({"bird": {"latin": "Aves", "legs": "two"}}, "a text for every key in /bird"),
            ({"bird": {"latin": "Aves", "x": []}, "moth": {"latin": "Moths", "x": []}}, "a text under 'latin' a second time"),
            ({"bird": {"size": 3, "x": None}}, "the key 'size' in /bird"),
            ({"bird": {"legs": 2, "x": None}}, "'2' in /bird/legs"),
            ({"bird": {"page": "https://example.org/x", "x": None}}, "'https://example.org/x' in /bird/page"),
            ({"cat": ["cat/1.jpg", "cat/2.jpg"], "dog": ["dog/1.JPG"]}, "'cat/1.jpg' in /cat/0"),
            ({"site": "My pages", "nav": [{"Home": "index.md"}, {"Guide": ["start.md"]}]}, "'index.md' in /nav/0/Home"),
            ({"bird": {"about": "long " * 50, "x": None}}, "in /bird/about"),
            ({"path": "../images", "nc": 2, "names": ["wren", "robin"]}, "the key 'path'"),
            ({"wrens": {"title": ["winter wren"]}}, "the key 'title' in /wrens"),
            ({"@context": {}, "@graph": []}, "the key '@context'"),
            ({"bird": [None]}, "null in /bird/0"),
            ({"bird": {"wren": [True]}}, "true in /bird/wren/0"),
            ({"bird": [["wren"]]}, "a list in /bird/0"),
            ([["n01440764", "tench"]], "a list in /0"),
        ],
    )  # fmt: skip
    def test_what_shows_that_keys_are_no_names(self, tmp_path: Path, document: Any, because: str) -> None:
        with pytest.raises(InputError) as error:
            reading(tmp_path, json.dumps(document))
        assert "Expected a known form: " in str(error.value)
        assert f"not names in names, because of {because}" in str(error.value) or because in str(error.value)
        assert 'write each node as {"name": ..., "children": [...]}' in str(error.value)

    @pytest.mark.parametrize("content", ["3", "null", "{}", "[]", '"bird"', "true"])
    def test_what_is_no_tree_at_all(self, tmp_path: Path, content: str) -> None:
        with pytest.raises(InputError, match=KNOWN):
            reading(tmp_path, content)


@strict
class TestChildren:
    @pytest.mark.parametrize("key", ["name", "label", "title", "text", "id", "key", "Name", "LabelName"])
    def test_names_under_any_common_key(self, key: str) -> None:
        document = {key: "r", "children": [{key: "a", "size": 3, "children": [{key: "a"}]}, {key: 7, "children": None}]}
        tree = taxonomy_from_nested(document)
        assert paths(tree) == ["r", "r/a", "r/a/a", "r/7"]
        assert tree.columns["size"].tolist() == ["", "3", "", ""]
        assert set(tree.columns) == {"size"}

    def test_the_other_keys_are_columns(self) -> None:
        tree = taxonomy_from_nested({"id": 1, "label": "r", "children": [{"id": 2, "label": "a", "extinct": True}]})
        assert paths(tree) == ["r", "r/a"]
        assert {key: texts.tolist() for key, texts in tree.columns.items()} == {
            "id": ["1", "2"],
            "extinct": ["", "true"],
        }

    def test_forests_and_leaves_as_texts(self) -> None:
        forest = [{"title": "bird", "children": ["wren", "robin"]}, {"title": "moth", "children": []}, "fly"]
        assert paths(taxonomy_from_nested(forest)) == ["bird", "bird/wren", "bird/robin", "moth", "fly"]
        assert not taxonomy_from_nested(forest[:1]).synthetic_root

    def test_other_words_for_children(self) -> None:
        document = {"title": "food", "subcategories": [{"title": "fruit"}]}
        assert taxonomy_from_nested(document).names.tolist() == ["food", "fruit"]

    def test_a_root_without_a_name_is_synthetic(self) -> None:
        for document in ({"children": [{"name": "a"}]}, {"name": "", "children": [{"name": "a"}]}):
            assert taxonomy_from_nested(document).synthetic_root
        assert paths(taxonomy_from_nested({"id": 0, "children": [{"id": 1, "name": "a"}]})) == ["a"]

    def test_levels_that_every_node_names(self) -> None:
        child = {"name": "a", "level": "order", "children": [{"name": "b", "level": "family"}]}
        assert taxonomy_from_nested({"name": "r", "children": [child]}).level_names == ("order", "family")

    def test_a_parent_that_is_told_twice_is_no_column(self) -> None:
        document = {"name": "r", "parent": None, "children": [{"name": "a", "parent": "r"}]}
        assert not taxonomy_from_nested(document).columns

    def test_what_is_told(self) -> None:
        with pytest.warns(InputWarning, match="left out: 'parts' of 1 nodes"):
            taxonomy_from_nested({"name": "r", "children": [{"name": "a", "parts": ["wing"]}]})
        with pytest.warns(InputWarning, match="Levels that nest in both orders or are missing in some nodes"):
            taxonomy_from_nested({"name": "r", "children": [{"name": "a", "level": "x"}, {"name": "b"}]})

    def test_twins_are_told(self, tmp_path: Path) -> None:
        with pytest.warns(InputWarning, match="two nodes at 'r/a'"):
            tree = reading(tmp_path, '{"name": "r", "children": [{"name": "a"}, {"name": "a"}]}')
        assert paths(tree) == ["r", "r/a", "r/a"]

    def test_the_key_of_the_names_can_be_said(self, tmp_path: Path) -> None:
        content = '{"label": "r", "sci": "R", "children": [{"sci": "A"}]}'
        with pytest.raises(InputError, match=r'Pass name="\.\.\." if names are under another key'):
            reading(tmp_path, '{"name": "r", "sci": "R", "children": [{"sci": "A", "id": 1}]}')
        assert paths(reading(tmp_path, content, name="sci")) == ["R", "R/A"]

    @pytest.mark.parametrize(
        ("document", "message"),
        [
            ({"name": "r", "children": [{"name": None, "children": None}]}, "Expected a name, but got null in /children/0/name at"),
            ({"name": None, "children": [{"name": "a"}]}, "Expected a name, but got null in /name at"),
            ([{"name": "a", "children": [None]}], "Expected a node or a name, but got null in /0/children/0 at"),
            ({"name": "r", "children": [{"name": ["x"]}]}, "Expected a name, but got a list in /children/0/name at"),
            ({"name": "r", "children": [{"name": False}]}, "Expected a name, but got false in /children/0/name at"),
            ({"name": "r", "children": [{"name": " "}]}, "Expected a name for every node, but got a blank under r at"),
            ({"name": "r", "children": [{"name": "a", "children": {}}]}, "Expected a list of children, but got a mapping in /children/0/children at"),
            ({"name": "r", "children": [{"name": "a"}, {"id": 3}]}, "Expected 'name' in every node, but got one with 'id' in /children/1 at"),
            ({"title": "r", "children": [{"name": "a"}]}, "Expected 'name' in every node, but got one with 'title', 'children' in / at"),
            ({"children": [{"name": "a", "level": "x"}], "levels": ["y"]}, "Expected a level among 'y', but got 'x' of 'a' at"),
            ({"data": {"name": "r"}, "children": [{"data": {"name": "a"}}]}, "Expected a known form"),
            ({"name": "r", "children": ["a"], "child": ["b"]}, "Expected a known form"),
            ({"name": "r", "child": [{"name": "a", "children": ["b"]}]}, "Expected children under 'child' alone, but got some under 'children' in /child/0 at"),
            ([{"children": None, "name": None}, {"children": 1}], "Expected a list of children, but got '1' in /1/children at"),
            ({"taxonomy": {"name": "r", "children": [{"name": "a"}]}}, "Expected a known form"),
        ],
    )  # fmt: skip
    def test_errors(self, tmp_path: Path, document: Any, message: str) -> None:
        with pytest.raises(InputError) as error:
            reading(tmp_path, json.dumps(document))
        assert str(error.value).startswith(message)


@strict
class TestRecords:
    def test_records_with_parents(self, tmp_path: Path) -> None:
        by_id = '[{"id": 5, "parent": null, "name": "bird"}, {"id": 6, "parent": 5, "name": "wren"}]'
        assert paths(reading(tmp_path, by_id)) == ["bird", "bird/wren"]
        by_line = by_id.strip("[]").replace("}, ", "}\n")
        assert paths(reading(tmp_path, by_line, "t.jsonl")) == ["bird", "bird/wren"]
        with pytest.raises(
            InputError, match=r"Expected JSON, but got an error: Extra data at .*t.json:2. .* call it .jsonl"
        ):
            reading(tmp_path, by_line)

    def test_records_that_are_no_tree(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="Expected a text or number, but got a list in /0/parents"):
            reading(tmp_path, '[{"id": 5, "parents": [{"id": "x"}]}]')
        with pytest.raises(InputError, match=KNOWN + "a list of mappings with the keys 'id', 'name', 'child_ids'"):
            reading(
                tmp_path, '[{"id": 1, "name": "bird", "child_ids": [2]}, {"id": 2, "name": "wren", "child_ids": []}]'
            )

    def test_graphs_say_that_they_are_directed(self, tmp_path: Path) -> None:
        graph = '{"nodes": [{"id": "bird"}, {"id": "wren"}], "links": [{"source": "bird", "target": "wren"}]}'
        with pytest.raises(
            InputError,
            match=r'a directed graph, but got one that does not say whether it is directed .* add "directed": true',
        ):
            reading(tmp_path, graph)
        assert paths(reading(tmp_path, graph.replace("{", '{"directed": true, ', 1))) == ["bird", "bird/wren"]

    def test_categories_with_ranks(self, tmp_path: Path) -> None:
        ranks = {"kingdom": "Animalia", "class": "Aves", "genus": "Turdus", "specific_epithet": "merula"}
        categories = [{"id": 0, "name": "Turdus merula", "supercategory": "Birds", **ranks}]
        tree = reading(tmp_path, json.dumps({"images": [], "categories": categories}))
        assert tree.path_name(tree.num_nodes - 1) == "Animalia/Aves/Turdus/Turdus merula"
        assert tree.level_names == ("kingdom", "class", "genus", "species")
        assert tree.columns["id"].tolist()[-1] == "0"
        with pytest.raises(InputError, match="but got COCO categories with 'id', 'name'"):
            reading(tmp_path, json.dumps({"categories": [{"id": 1, "name": "person"}]}))

    @pytest.mark.parametrize(
        ("pairs", "found"),
        [
            ({"person": "person", "car": "vehicle"}, ["person", "person/person", "vehicle", "vehicle/car"]),
            ({"fish": "none", "cod": "fish", "eel": "fish"}, ["fish", "fish/cod", "fish/eel"]),
            ({"cod": "fish", "fish": "food", "gold": "metal"}, ["food", "food/fish", "food/fish/cod", "metal", "metal/gold"]),
            ({"cod": "none", "eel": "none"}, ["cod", "eel"]),
        ],
    )  # fmt: skip
    def test_categories_by_supercategory(self, tmp_path: Path, pairs: dict[str, str], found: list[str]) -> None:
        categories = [{"id": n, "name": name, "supercategory": up} for n, (name, up) in enumerate(pairs.items(), 7)]
        tree = reading(tmp_path, json.dumps({"categories": categories}))
        assert sorted(paths(tree)) == found
        assert [tree.columns["id"][tree.find(name)] for name in pairs if name != "person"][-1] == str(6 + len(pairs))

    @pytest.mark.parametrize("orient", ["records", "lines"])
    def test_rows_of_a_table_as_pandas_writes_them(self, tmp_path: Path, orient: str) -> None:
        frame = pd.DataFrame({"group": ["bird", "bird", "fish"], "kind": ["wren", "robin", "cod"]})
        frame.to_json(tmp_path / "t.jsonl", orient="records", lines=True)
        frame.to_json(tmp_path / "t.json", orient="records")
        tree = read(tmp_path / ("t.jsonl" if orient == "lines" else "t.json"))
        assert paths(tree) == ["bird", "bird/wren", "bird/robin", "fish", "fish/cod"]
        assert tree.level_names == ("group", "kind")

    def test_rows_of_a_table_that_is_no_tree_are_refused_as_one(self, tmp_path: Path) -> None:
        rows = [{"id": 7, "name": "wren"}, {"id": 9, "name": "robin"}]
        with pytest.raises(InputError, match=r"'id' describes nodes.* at .*t\.json, record\. .*levels="):
            reading(tmp_path, json.dumps(rows))
        assert reading(tmp_path, json.dumps(rows), levels=["name"], columns=["id"]).num_leaves == 2

    def test_jstree_has_marks_for_roots_and_texts_for_names(self, tmp_path: Path) -> None:
        records = [{"id": "a", "parent": "#", "text": "food"}, {"id": "b", "parent": "a", "text": "fruit"}]
        assert paths(reading(tmp_path, json.dumps(records))) == ["food", "food/fruit"]


@strict
class TestJson:
    @pytest.mark.parametrize(
        ("content", "message"),
        [
            ('{"a": 1,\n}', "Expected JSON, but got an error: Expecting property name enclosed in double quotes at {file}:2."),
            ('{"a": ["b"], "a": []}', "Expected each name once in an object, but got 'a' twice at {file}."),
            ('{"a": [NaN]}', "Expected JSON, but got NaN, which JSON does not have at {file}."),
            ('{"a": [" "]}', "Expected a name for every node, but got a blank under a at {file}."),
            ('{"a": ' * 3000 + "1" + "}" * 3000, "Expected nesting that the parser can handle, but got nesting that is too deep at {file}."),
            ("[" * 100_000, "Expected nesting that the parser can handle, but got nesting that is too deep at {file}."),
            ('{"a": ["\\ud800"]}', "Expected Unicode text, but got half of a surrogate pair in '\\ud800' at {file}."),
            ("", "Expected JSON, but got an error: Expecting value at {file}:1."),
        ],
    )  # fmt: skip
    def test_errors(self, tmp_path: Path, content: str, message: str) -> None:
        with pytest.raises(InputError) as error:
            reading(tmp_path, content)
        assert str(error.value) == message.format(file=tmp_path / "t.json")

    def test_numbers_are_names_as_they_are_written(self, tmp_path: Path) -> None:
        huge = "9" * 6000  # longer than Python makes a number of
        tree = reading(tmp_path, f'{{"name": "r", "children": [{{"name": 7}}, {{"name": 7.0}}, {{"name": {huge}}}]}}')
        assert tree.names.tolist() == ["r", "7", "7.0", huge]

    def test_encodings(self, tmp_path: Path) -> None:
        assert paths(reading(tmp_path, '{"é": ["b"]}'.encode("utf-8-sig"))) == ["é", "é/b"]
        with pytest.raises(InputError, match=r"Expected UTF-8 text, but got UTF-16 at .* Save the file as UTF-8"):
            reading(tmp_path, '{"é": ["b"]}'.encode("utf-16"))
        with pytest.raises(InputError, match=r"Expected UTF-8 text, but got byte 0xE9 at .*t.json:2"):
            reading(tmp_path, b'{"a":\n"\xe9"}')


@strict
class TestYaml:
    def test_scalars_are_names_but_null_is_nothing(self, tmp_path: Path) -> None:
        content = "no:\n- on\n- 2020-01-01\n- 010\n1.0:\n  'null':\n  x: ~\n  y: null\n"
        found = paths(reading(tmp_path, content, "t.yaml"))
        assert found == ["no", "no/on", "no/2020-01-01", "no/010", "1.0", "1.0/null", "1.0/x", "1.0/y"]
        assert paths(reading(tmp_path, "- great\n  white - shark\n- cod\n", "t.yaml")) == ["great white - shark", "cod"]
        children = "name: r\nchildren:\n- name: no\n  children: null\n- name: b\n  children: []\n"
        assert paths(reading(tmp_path, children, "t.yaml")) == ["r", "r/no", "r/b"]

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            ("a: [b\nc: d\n", "Expected YAML, but got an error: expected ',' or ']', but got ':' at {file}:2."),
            ("a:\n- b\na:\n- c\n", "Expected YAML, but got an error: the name 'a' twice at {file}:3."),
            ("[a, b]: c\n", "Expected YAML, but got an error: a key that is not a name at {file}:1."),
            ("~: [c]\n", "Expected YAML, but got an error: a null for a name at {file}:1."),
            ("a: \x00\n", "Expected YAML, but got an error: unacceptable character #x0000: special characters are not allowed at {file}."),
            ("a: !!python/object/apply:os.system [exit 1]\n", "Expected YAML, but got an error: the tag 'tag:yaml.org,2002:python/object/apply:os.system' at {file}:1."),
            ("a: !fruit [b]\n", "Expected YAML, but got an error: the tag '!fruit' at {file}:1."),
            ("a: &a [b]\nc:\n  <<: *a\n", "Expected YAML, but got an error: a merge key, '<<' at {file}:3."),
            ("a: [b]\n---\nc: [d]\n", "Expected YAML, but got an error: expected a single document in the stream, but found another document at {file}:2."),
            ("a: &a\n  b: *a\n", "Expected YAML, but got an error: an alias for something that it is part of at {file}:1."),
            ("- fruit\n  - apple\n  - pear\n- fish\n", "Expected YAML, but got an error: a name that goes on over a list, which needs a ':' behind the name at {file}:1."),
            ("[" * 600, "Expected nesting that the parser can handle, but got nesting that is too deep at {file}."),
        ],
    )  # fmt: skip
    def test_errors(self, tmp_path: Path, content: str, message: str) -> None:
        with pytest.raises(InputError) as error:
            reading(tmp_path, content, "t.yaml")
        assert str(error.value) == message.format(file=tmp_path / "t.yaml")

    @pytest.mark.parametrize(
        ("content", "because"),
        [
            ("", "nothing"),
            ("- null\n", "null in /0"),
            ("0: person\n1: car\n", "keys that count from 0"),
            ("nc: 2\nnames: [a, b]\n", "the key 'nc'"),
            ("bird: {legs: 2, x: }\n", "'2' in /bird/legs"),
            ("bird: {flies: true, x: }\n", "'true' in /bird/flies"),
        ],
    )
    def test_what_shows_no_known_form(self, tmp_path: Path, content: str, because: str) -> None:
        with pytest.raises(InputError, match=KNOWN) as error:
            reading(tmp_path, content, "t.yaml")
        assert because in str(error.value)

    def test_aliases_may_stand_for_a_little_but_not_for_much(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(yaml_tree, "MAX_ALIASED", 20)
        assert paths(reading(tmp_path, "a: &x [b, c]\nd: *x\n", "t.yaml")) == ["a", "a/b", "a/c", "d", "d/b", "d/c"]
        doubling = "a: &a [x, y]\nb: &b [{k: *a}, {l: *a}]\nc: &c [{k: *b}, {l: *b}]\nd: [{k: *c}, {l: *c}]\n"
        with pytest.raises(
            InputError, match=r"Expected YAML, but got an error: aliases that stand for \d+ values at .*:1"
        ):
            reading(tmp_path, doubling, "t.yaml")


@strict
class TestWriting:
    def test_names_in_names_are_written_where_they_show_as_such(self) -> None:
        assert nested_from_taxonomy(Taxonomy.from_paths([("a", "b"), ("c",)])) == {"a": ["b"], "c": None}
        assert nested_from_taxonomy(Taxonomy.from_paths([("title", "b"), ("c",)])) == {
            "name": "",
            "children": [{"name": "title", "children": [{"name": "b"}]}, {"name": "c"}],
        }
        assert nested_from_taxonomy(Taxonomy([-1, 0], ["0", "1"])) == {"name": "0", "children": [{"name": "1"}]}

    @pytest.mark.parametrize("name", ["t.json", "t.yaml"])
    @pytest.mark.parametrize(
        "top", ["0", "id", "children", "/a", "https://a/b", "null", "~", "<<", "nodes", "@x", "n" * 300]
    )
    def test_any_names_come_back(self, tmp_path: Path, name: str, top: str) -> None:
        tree = Taxonomy.from_paths([(top, "x", top), ("other", top)])
        write(tree, tmp_path / name)
        assert read(tmp_path / name) == tree


NUM_DOCUMENTS = int(os.environ.get("CLADEWISE_MUTATIONS", "600"))
NAMES = ["name", "id", "children", "wren", "0", "1", "parent", "nodes", "links", "edges", "source", "target"]
TEXTS = ["", "a", " ", "é", "x/y", "{", "7.0", "\ud800"]


def document(chance: random.Random, depth: int = 0) -> Any:
    """A random document: mostly mappings and lists at the top, mostly texts and numbers below."""
    if chance.random() < (0.1, 0.4, 0.7, 1.0)[depth]:
        return chance.choice(
            [None, True, chance.randrange(4), 0.5, float("inf"), chance.choice(NAMES), chance.choice(TEXTS)]
        )
    below = [document(chance, depth + 1) for _ in range(chance.randrange(4))]
    return below if chance.random() < 0.5 else dict(zip(chance.sample(NAMES, len(below)), below, strict=True))


@pytest.mark.filterwarnings("ignore::cladewise.errors.InputWarning")
def test_any_document_is_a_tree_or_one_line() -> None:
    trees = 0
    for seed in range(NUM_DOCUMENTS):
        content = document(random.Random(seed))
        try:
            found = repr(taxonomy_from_nested(content))
            trees += 1
        except InputError as error:
            found = str(error)
        assert found.startswith(("Taxonomy(", "Expected ")), f"seed {seed}: {content!r}"
        assert "\n" not in found, f"seed {seed}: {content!r}"
    assert NUM_DOCUMENTS / 50 < trees < NUM_DOCUMENTS


DAMAGE = [b"", b"{", b"]", b":", b'"', b"\xff", b"\0", b"*x", b"\n", b"\\ud800", b"null", b"-"]
SEEDS = [
    json.dumps({"bird": {"owl": ["barn owl", "tawny owl"], "wren": None}}, indent=1),
    json.dumps({"name": "bird", "children": [{"name": "owl", "children": ["x"]}, {"name": "wren", "size": 9.5}]}),
    json.dumps({"directed": True, "nodes": [{"id": 1}, {"id": 2}], "edges": [{"source": 1, "target": 2}]}),
    yaml.safe_dump({"bird": {"owl": ["barn owl", "no"], "wren": None}}),
    "a: &x [b, c]\nd: {e: *x, f: !!str g}\n# end\n",
]


@pytest.mark.filterwarnings("ignore::cladewise.errors.InputWarning")
def test_a_damaged_file_is_a_tree_or_one_line(tmp_path: Path) -> None:
    trees = 0
    for seed in range(NUM_DOCUMENTS):
        chance = random.Random(seed)
        text = bytearray(chance.choice(SEEDS).encode())
        for _ in range(chance.randrange(1, 5)):
            at = chance.randrange(max(1, len(text)))
            text[at : at + chance.randrange(4)] = chance.choice(DAMAGE)
        file = tmp_path / chance.choice(["damaged.json", "damaged.yaml"])
        file.write_bytes(text)
        try:
            found = repr(read(file))
            trees += 1
        except InputError as error:
            found = str(error)
        assert found.startswith(("Taxonomy(", "Expected ")), f"seed {seed}: {bytes(text)!r}"
        assert "\n" not in found, f"seed {seed}: {bytes(text)!r}"
    assert NUM_DOCUMENTS / 50 < trees < NUM_DOCUMENTS
