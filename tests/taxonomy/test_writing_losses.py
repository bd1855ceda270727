"""Written files say what they leave out, and tables of paths which ids cannot be kept."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest

import cladewise as cw
from cladewise.errors import InputError, InputWarning
from cladewise.taxonomy import Taxonomy


def _tree() -> Taxonomy:
    columns = {"id": ["00", "7", "08"], "note": ["", "round", ""], "name:fr": ["", "pomme", ""]}
    return Taxonomy([-1, 0, 0], ["fruit", "apple", "pear"], level_names=["kind"], columns=columns)


def _told(tree: Taxonomy, path: Path, format: cw.taxonomy.Format) -> list[str]:
    with warnings.catch_warnings(record=True, action="always") as caught:
        tree.write(path, format=format)
    return [str(warning.message) for warning in caught]


@pytest.mark.parametrize(
    ("format", "name", "lost"),
    [
        ("levels", "t.csv", "the column id, the column note, the column name:fr"),
        ("edges", "t.csv", "the column id, the column note, the column name:fr, the names of levels"),
        ("newick", "t.nwk", "the column id, the column note, the column name:fr, the names of levels"),
        ("folders", "t", "the column id, the column note, the column name:fr, the names of levels"),
        ("dwca", "t.zip", "the column note"),
        ("coldp", "t.zip", "the column note"),
    ],
)
def test_what_a_format_cannot_hold_is_said(tmp_path: Path, format: cw.taxonomy.Format, name: str, lost: str) -> None:
    place = tmp_path / name
    assert _told(_tree(), place, format) == [f"left out, since the format cannot hold them: {lost} at {place}."]


@pytest.mark.parametrize(("format", "name"), [("nodes", "t.csv"), ("json", "t.json"), ("yaml", "t.yaml")])
def test_formats_that_hold_everything_say_nothing(tmp_path: Path, format: cw.taxonomy.Format, name: str) -> None:
    assert _told(_tree(), tmp_path / name, format) == []


def test_ids_that_categories_cannot_have_are_named(tmp_path: Path) -> None:
    told = _told(_tree(), tmp_path / "c.json", "coco")
    assert told == [
        f"2 ids are no whole number as written, and replaced by a new one: '00', '08' at {tmp_path / 'c.json'}."
    ]


def test_names_in_several_branches_with_ids_need_no_advice(tmp_path: Path) -> None:
    names = ["top", "birds", "crane", "machines", "crane"]
    with_ids = Taxonomy([-1, 0, 1, 0, 3], names, columns={"id": ["a", "b", "c", "d", "e"]})
    assert _told(with_ids, tmp_path / "c.xml", "label-studio") == []
    [told] = _told(Taxonomy([-1, 0, 1, 0, 3], names), tmp_path / "d.xml", "label-studio")
    assert told.startswith("1 name in several branches")


def test_a_document_is_not_written_under_the_name_of_lines(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"'t\.jsonl', as files with one record per line are called"):
        _tree().write(tmp_path / "t.jsonl")
    assert not (tmp_path / "t.jsonl").exists()


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ("1,A > B\n2,A > B\n", ["another id '2' of the path 'A > B' at {}:3."]),
        ("1,A > B\n1,A > C\n", ["the id '1' of another path too at {}:3."]),
        ("1,A > B\n1,A > B\n2,A > C\n", []),
    ],
)
def test_ids_of_paths_that_are_not_one_to_one_are_said(tmp_path: Path, rows: str, told: list[str]) -> None:
    place = tmp_path / "paths.csv"
    place.write_text("id,path\n" + rows)
    with warnings.catch_warnings(record=True, action="always") as caught:
        cw.taxonomy.read(place)
    assert [str(w.message) for w in caught if w.category is InputWarning] == [text.format(place) for text in told]


@pytest.mark.parametrize(
    ("name", "content", "got"),
    [
        ("t.xml", b"", "an empty file"),
        ("t.xml", b"<html/>", "a file without the marks of any"),
        ("t.zip", b"", "an empty file"),
        ("t.zip", b"no archive", "a file without the marks of any"),
    ],
)
def test_a_known_suffix_is_not_asked_for(tmp_path: Path, name: str, content: bytes, got: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=rf"Expected a \.(xml|zip) file of a known format \(.*\), but got {got} at"):
        cw.taxonomy.read(tmp_path / name)


def test_paths_below_one_of_the_values_are_no_names(tmp_path: Path) -> None:
    place = tmp_path / "t.csv"
    place.write_text("label\nfood/fruit/apple\nfood/veg\nfood\n")
    with pytest.raises(InputError, match="one column whose values have '/' in them, as paths do"):
        cw.taxonomy.read(place)
    assert cw.taxonomy.read(place, format="paths").path_name(3) == "food/fruit/apple"


def test_an_id_of_two_labels_of_a_list_is_refused(tmp_path: Path) -> None:
    place = tmp_path / "labels.txt"
    place.write_text("1f1a;aves;passeriformes;turdidae;turdus;merula;blackbird\n3c3d;;;;;;blank\n3c3d;;;;;;vehicle\n")
    with pytest.raises(InputError, match="Expected an id for one label each, but got '3c3d' for several"):
        cw.taxonomy.read(place)


def test_nothing_but_ours_is_said_about_an_ontology(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    pytest.importorskip("obonet")
    place = tmp_path / "t.obo"
    place.write_text("[Term]\nid: A:1\nname: a\n\n[Term]\nid: A:2\nname: b\nis_a: A:1\nis_a: A:9\n")
    with pytest.warns(InputWarning, match="^1 broader concept that the file does not define, left out: 'A:9'"):
        assert cw.taxonomy.read(place).num_nodes == 2
    assert caplog.records == []
