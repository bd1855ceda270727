"""Label trees of labelling tools: what their writers write is read, and what is written comes back or is told."""

from __future__ import annotations

import json
import tempfile
import warnings
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cladewise.errors import InputError, InputWarning
from cladewise.taxonomy import Taxonomy, read

SAMPLES = Path(__file__).parent / "labelling_samples"
FORMATS = {"label-studio": "tree.xml", "datumaro": "tree.json", "cvat": "tree.json"}


def paths(tree: Taxonomy) -> list[str]:
    return [tree.path_name(node) for node in range(tree.num_nodes)]


def column(tree: Taxonomy, name: str) -> dict[str, str]:
    return {tree.path_name(v): text for v, text in enumerate(tree.columns[name].tolist()) if text}


def written(folder: Path, content: Any) -> Path:
    file = folder / ("labels.xml" if isinstance(content, str) else "labels.json")
    file.write_text(content if isinstance(content, str) else json.dumps(content))
    return file


class TestLabelStudio:
    CONFIG = SAMPLES / "label_studio" / "config.xml"

    def test_the_choices_of_a_control_are_a_tree_with_aliases_as_ids(self):
        tree = read(self.CONFIG, control="species")
        assert paths(tree) == ["", "Birds", "Birds/Wren", "Birds/Crane", "Machines", "Machines/Crane"]
        assert column(tree, "id") == {"Birds": "b", "Birds/Wren": "t-troglodytes"}
        assert column(tree, "hint") == {"Birds/Wren": "<b>small</b> bird"}
        assert tree.find(("b", "t-troglodytes")) == tree.find("Wren") == 2
        assert paths(read(self.CONFIG, control="light")) == ["", "day", "night"]

    def test_several_controls_are_refused_with_their_names(self):
        with pytest.raises(InputError, match=r"got 'species' \(Taxonomy\), 'light' \(Choices\) .*control=\"species\""):
            read(self.CONFIG)
        with pytest.raises(InputError, match=r"the name of a control of choices: 'species'.*got 'kind'"):
            read(self.CONFIG, control="kind")

    def test_choices_that_are_not_in_the_file_are_refused(self, tmp_path):
        text = '<View><Image name="i" value="$i"/><Taxonomy name="t" toName="i" apiUrl="https://a.b/t.json"/></View>'
        with pytest.raises(InputError, match=r"got choices that are loaded from 'https://a.b/t.json'"):
            read(written(tmp_path, text))

    def test_an_alias_of_several_choices_is_a_synonym(self, tmp_path):
        choice = '<Choice value="{0}"><View><Choice value="other {0}" alias="other"/></View></Choice>'
        inside = choice.format("bird") + choice.format("moth")
        tree = read(written(tmp_path, f'<View><Choices name="c" toName="i">{inside}</Choices></View>'))
        assert column(tree, "synonyms") == {"bird/other bird": "other", "moth/other moth": "other"}
        assert tree.find("moth/other") == tree.find("other moth")

    def test_a_document_type_is_refused_before_it_is_parsed(self, tmp_path):
        text = (
            '<?xml version="1.0"?>\n<!DOCTYPE View [<!ENTITY w "Wren">]>\n<View><Choices name="c" toName="i"/></View>'
        )
        with pytest.raises(InputError, match=r"XML without a document type, but got <!DOCTYPE at .*labels.xml:2"):
            read(written(tmp_path, text))

    def test_broken_xml_is_refused_with_its_line(self, tmp_path):
        text = '<View>\n<Taxonomy name="t" toName="i">\n</View>'
        with pytest.raises(InputError, match=r"well-formed XML, but got an error: mismatched tag.*labels.xml:3"):
            read(written(tmp_path, text))

    def test_losses_are_told(self, tmp_path):
        tree = Taxonomy.from_paths([("bird", "wren"), ("", "moth")], level_names=["order", "kind"])
        with pytest.warns(InputWarning, match="left out, since.*: the names of levels, skipped levels"):
            tree.write(tmp_path / "config.xml", format="label-studio")
        with pytest.raises(InputError, match=r"without control characters, but got 'a\\x01b'"):
            Taxonomy.from_paths([("a\x01b",)]).write(tmp_path / "config.xml", format="label-studio")


class TestDatumaro:
    def test_groups_that_say_more_than_the_tree_are_columns(self):
        tree = read(SAMPLES / "datumaro" / "annotations" / "train.json")
        assert paths(tree) == ["", "Birds", "Birds/Wren", "Birds/Robin", "Insects", "Insects/Moth", "Night"]
        assert column(tree, "group") == {
            "Birds": "top",
            "Birds/Wren": "Birds___Species",
            "Birds/Robin": "Birds___Species",
            "Insects": "top",
            "Night": "Light",
        }
        assert column(tree, "group_type")["Night"] == "inclusive"
        assert column(tree, "attributes") == {"Birds/Wren": "age"}
        assert set(read(SAMPLES / "plain" / "annotations" / "default.json").columns) == set()

    def test_a_round_trip_keeps_labels_parents_groups_and_attributes(self, tmp_path):
        source = SAMPLES / "datumaro" / "annotations" / "train.json"
        before = json.loads(source.read_text())["categories"]["label"]
        read(source).write(tmp_path / "again.json", format="datumaro")
        after = json.loads((tmp_path / "again.json").read_text())["categories"]["label"]
        assert after["labels"] == before["labels"]
        sets = [
            {(g["name"], g["group_type"], frozenset(g["labels"])) for g in c["label_groups"]} for c in (before, after)
        ]
        assert sets[0] == sets[1]

    def test_children_of_a_label_that_datumaro_renamed_are_where_its_file_puts_them(self):
        tree = read(SAMPLES / "renamed" / "annotations" / "default.json")
        assert paths(tree) == ["", "Aves", "Wren", "Robin", "Insects", "Insects/Moth", "Night"]

    def test_a_parent_that_was_renamed_is_refused_or_its_labels_are_put_at_the_top(self, tmp_path):
        labels = [{"name": "Aves", "parent": ""}, {"name": "Wren", "parent": "Birds"}]
        file = written(tmp_path, {"categories": {"label": {"labels": labels}}, "items": []})
        with pytest.raises(
            InputError, match="a parent that is a label, but got 1 with another, such as 'Wren' below 'Bi"
        ):
            read(file)
        with pytest.warns(InputWarning, match="put at the top, since their parent is no label: 1 with another"):
            assert paths(read(file, roots="join")) == ["", "Aves", "Wren"]

    @pytest.mark.parametrize(
        ("labels", "got"),
        [
            ([{"name": "a"}, {"name": "a"}], "'a' twice"),
            ([{"name": "a", "parent": "b"}, {"name": "b", "parent": "a"}], "a cycle: a → b → a"),
            ([{"name": None}], "null in /categories/label/labels/0/name"),
            ([], "none"),
        ],
    )
    def test_labels_that_are_no_tree_are_refused(self, tmp_path, labels, got):
        with pytest.raises(InputError, match=f"but got {got}"):
            read(written(tmp_path, {"categories": {"label": {"labels": labels}}}))

    def test_the_schema_of_a_geti_model_is_read_by_ids(self, tmp_path):
        names = ["Birds", "Wren", "Robin", "No object"]
        label = {str(k): {"_id": str(k), "name": name, "is_empty": k == 3} for k, name in enumerate(names)}
        schema = {
            "label_tree": {"type": "tree", "directed": True, "nodes": ["1", "0"], "edges": [["1", "0"], ["2", "0"]]},
            "label_groups": [
                {"_id": "g", "name": "Kind", "label_ids": ["0"], "relation_type": "EXCLUSIVE"},
                {"_id": "h", "name": "Birds___Kind", "label_ids": ["1", "2"], "relation_type": "EXCLUSIVE"},
                {"_id": "e", "name": "Empty", "label_ids": ["3"], "relation_type": "EMPTY_LABEL"},
            ],
            "all_labels": label,
        }
        with pytest.warns(InputWarning, match="labels for images without any, left out: 'No object'"):
            tree = read(written(tmp_path, schema))
        assert paths(tree) == ["Birds", "Birds/Wren", "Birds/Robin"]
        assert column(tree, "id") == {"Birds": "0", "Birds/Wren": "1", "Birds/Robin": "2"}
        assert column(tree, "group")["Birds/Wren"] == "Birds___Kind"

    def test_a_geti_project_has_groups_and_parents_at_its_labels(self, tmp_path):
        def label(number: int, name: str, group: str, parent: str | None, **more: Any) -> dict[str, Any]:
            return {"id": f"id{number}", "name": name, "color": "#fff", "group": group, "parent_id": parent, **more}

        labels = [
            label(0, "Birds", "Kind", None, is_empty=False),
            label(1, "Moths", "Kind", None),
            label(2, "Wren", "Birds___Species", "Birds"),
            label(3, "Robin", "Birds___Species", "id0"),
            label(4, "No class", "No class", None, is_empty=True),
        ]
        tasks = [{"title": "Dataset", "task_type": "dataset"}, {"title": "Classification", "labels": labels}]
        project = {"name": "p", "pipeline": {"tasks": tasks, "connections": []}, "datasets": []}
        with pytest.warns(InputWarning, match="left out: 'No class'"):
            tree = read(written(tmp_path, project))
        assert paths(tree) == ["", "Birds", "Birds/Wren", "Birds/Robin", "Moths"]
        assert column(tree, "group")["Birds/Robin"] == "Birds___Species"
        assert tree.find("id3") == tree.find("Robin")

    def test_the_label_information_of_otx_is_read(self, tmp_path):
        tree = read(SAMPLES / "otx" / "label_info.json")
        same = read(SAMPLES / "datumaro" / "annotations" / "train.json")
        assert paths(tree) == paths(same)
        groups = [
            {
                frozenset(k for k, v in column(t, "group").items() if v == name)
                for name in set(column(t, "group").values())
            }
            for t in (tree, same)
        ]
        assert groups[0] == groups[1]
        tree = read(written(tmp_path, {"label_names": ["a", "b"], "label_tree_edges": [["b", "a"]]}))
        assert paths(tree) == ["a", "a/b"]
        with pytest.raises(InputError, match="one parent for each label, but got 'a' and 'c' above 'b'"):
            read(written(tmp_path, {"label_names": ["a", "b", "c"], "label_tree_edges": [["b", "a"], ["b", "c"]]}))

    def test_labels_in_no_group_are_told_when_groups_are_written(self, tmp_path):
        tree = read(SAMPLES / "datumaro" / "annotations" / "train.json")
        with pytest.warns(InputWarning, match="labels in no group, for which OTX has no output: 'Moth'"):
            tree.write(tmp_path / "labels.json", format="datumaro")

    def test_a_label_named_like_the_path_of_another_is_refused(self, tmp_path):
        tree = Taxonomy.from_paths([("a", "b"), ("c", "b"), ("a/b",)])
        with pytest.raises(InputError, match="a name for each label, but got 'a/b' for several"):
            tree.write(tmp_path / "labels.json", format="datumaro")


class TestCvat:
    def test_the_labels_of_annotations_are_a_flat_tree(self):
        tree = read(SAMPLES / "cvat" / "train.xml")
        assert paths(tree) == ["", "Birds", "Wren", "Robin", "Insects", "Moth", "Night"]

    def test_values_of_attributes_are_levels_if_asked_for(self, tmp_path):
        species = {"name": "species", "input_type": "select", "values": ["wren", "robin"], "mutable": False}
        size = {"name": "size", "input_type": "number", "values": ["1", "9", "1"]}
        labels = [
            {"name": "bird", "id": 1, "color": "#ffffff", "type": "tag", "attributes": [species, size]},
            {"name": "moth", "attributes": [], "parent_id": None, "type": "any"},
            {"name": "pose", "type": "skeleton", "attributes": [], "sublabels": [{"name": "1", "type": "points"}]},
        ]
        file = written(tmp_path, labels)
        with pytest.warns(InputWarning, match="1 sublabels, which are points of skeletons"):
            assert paths(read(file)) == ["", "bird", "moth", "pose"]
        with pytest.warns(InputWarning):
            assert paths(read(file, format="cvat", levels=["species"])) == [
                "",
                "bird",
                "bird/wren",
                "bird/robin",
                "moth",
                "pose",
            ]
        with pytest.warns(InputWarning), pytest.raises(InputError, match="listed: species, but got 'size'"):
            read(file, format="cvat", levels=["size"])


NAMES = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Cn", "Co"]), min_size=1, max_size=4)
NAMES = (NAMES | st.sampled_from(["a", "b", "a/b", "top", "none", "0", "\\"])).filter(lambda name: name.strip() == name)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.lists(NAMES, min_size=1, max_size=4), min_size=2, max_size=8))
def test_every_name_survives_in_every_format(chosen):
    # Datumaro cannot tell "a/b" at the top from a repeated "b" below "a", and refuses it
    tree = Taxonomy.from_paths([(path[0].replace("/", "|"), *path[1:]) for path in chosen])
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore", InputWarning)
        for form, name in FORMATS.items():
            file = Path(folder) / name
            tree.write(file, format=form)
            again = read(file, format=form)
            expected = paths(tree)
            if tree.num_children[0] == 1 and len(tree) > 2 and form != "cvat":  # a single label at the top is the root
                expected = expected[1:]
            assert paths(again) == expected, form
            assert set(again.columns) == set(), form
