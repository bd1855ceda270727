"""ImageNet's and LVIS' lists of classes, which get their tree from WordNet."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from cladewise import Taxonomy
from cladewise.errors import InputError, InputWarning
from cladewise.taxonomy import read

DATA = """\
  1 A licence.
00000001 03 n 01 entity 0 002 ~ 00000002 n 0000 ~ 00000003 n 0000 | that which is
00000002 03 n 02 animal 0 living_beast 0 001 @ 00000001 n 0000 | it moves
00000003 03 n 01 food 0 001 @ 00000001 n 0000 | it is eaten
00000004 03 n 02 cattle 0 beef 0 001 @ 00000002 n 0000 | it moos
00000005 03 n 01 beef 0 001 @ 00000003 n 0000 | it is red
00000006 03 n 01 tench 0 001 @ 00000002 n 0000 | it swims
"""
INDEX = """\
  1 A licence.
animal n 1 1 @ 1 0 00000002
beef n 2 2 @ ~ 2 0 00000004 00000005
cattle n 1 1 @ 1 1 00000004
tench n 1 1 @ 1 0 00000006
"""


@pytest.fixture
def wordnet(tmp_path: Path) -> Path:
    folder = tmp_path / "wordnet"
    folder.mkdir()
    (folder / "data.noun").write_text(DATA)
    (folder / "index.noun").write_text(INDEX)
    return folder


def texts(tree: Taxonomy, column: str) -> dict[str, str]:
    found = zip(tree.names.tolist(), tree.columns[column].tolist(), strict=True)
    return {name: text for name, text in found if text}


LISTS = {
    "one per line": "n00000006\nn00000004\n",
    "several per line": "n00000006 n00000004\n",
    "with words": "n00000006 tench, Tinca tinca\nn00000004 cattle, oxen\n",
    "with tabs": "n00000006\ttench, a fish\nn00000004\tcattle\n",
    "JSON": '["n00000006", "n00000004"]',
    "index of classes": json.dumps({"1": ["n00000004", "cattle"], "0": ["n00000006", "tench"]}),
    "senses": "tench.n.01\nbeef.n.01\n",
}


@pytest.mark.parametrize("form", LISTS)
def test_every_form_of_a_list_gives_the_same_tree(tmp_path: Path, wordnet: Path, form: str) -> None:
    (tmp_path / "list").write_text(LISTS[form])
    tree = read(wordnet, ids=tmp_path / "list")
    assert [tree.path_name(node) for node in range(tree.num_nodes)] == [
        "entity",
        "entity/animal",
        "entity/animal/cattle",
        "entity/animal/tench",
    ]
    assert tree.columns["id"].tolist() == ["n00000001", "n00000002", "n00000004", "n00000006"]
    if form == "index of classes":
        assert texts(tree, "class_index") == {"tench": "0", "cattle": "1"}


def test_names_of_an_index_of_classes_are_synonyms(tmp_path: Path, wordnet: Path) -> None:
    (tmp_path / "index.json").write_text(json.dumps({"0": ["n00000006", "Tinca_tinca"]}))
    tree = read(wordnet, ids=tmp_path / "index.json")
    assert texts(tree, "synonyms") == {"tench": "Tinca_tinca|Tinca tinca"}
    assert tree.path_name(tree.find("Tinca tinca")) == "entity/animal/tench"


def lvis(**more: Any) -> list[dict[str, Any]]:
    rows = [("beef.n.01", "cow"), ("beef.n.02", "beef_(food)"), ("string_cheese.n.01", "string_cheese")]
    rows += [("tench.n.01", "tench"), ("tench.n.01", "doctor_fish")]
    return [
        {"id": n, "synset": synset, "name": name, "synonyms": [name, "x"], "def": f"a {name}", "frequency": "f", **more}
        for n, (synset, name) in enumerate(rows, start=1)
    ]


def test_categories_of_lvis_are_nodes_with_their_names_and_ids(tmp_path: Path, wordnet: Path) -> None:
    file = tmp_path / "lvis.json"
    file.write_text(json.dumps({"images": [], "annotations": [], "categories": lvis()}))
    with pytest.warns(InputWarning, match=r"1 of 5 classes with synsets that this WordNet lacks.*'string_cheese.n.01'"):
        tree = read(wordnet, ids=file)
    assert {str(n): tree.path_name(tree.find(str(n))) for n in range(1, 6)} == {
        "1": "entity/animal/cow",
        "2": "entity/food/beef_(food)",
        "3": "entity/string_cheese",
        "4": "entity/animal/tench",
        "5": "entity/animal/doctor_fish",
    }
    assert texts(tree, "id") | {"tench": "4"} == texts(tree, "id")
    assert texts(tree, "synset") == {
        "entity": "n00000001",
        "animal": "n00000002",
        "food": "n00000003",
        "cow": "n00000004",
        "beef_(food)": "n00000005",
        "tench": "n00000006",
        "string_cheese": "string_cheese.n.01",
        "doctor_fish": "tench.n.01",
    }
    assert set(texts(tree, "synonyms").values()) == {"x"}
    assert texts(tree, "description")["cow"] == "a cow"
    assert texts(tree, "description")["animal"] == "it moves"
    tree.write(tmp_path / "nodes.csv")
    assert read(tmp_path / "nodes.csv").find("5") == tree.find("5")


def test_without_wordnet_they_are_no_tree(tmp_path: Path, wordnet: Path) -> None:
    (tmp_path / "index.json").write_text(LISTS["index of classes"])
    with pytest.raises(InputError, match=r"an index of 2 classes.*WordNet's folder with ids="):
        read(tmp_path / "index.json")
    (wordnet / "index.noun").unlink()
    with pytest.raises(InputError, match=r"WordNet's index.noun for senses like tench.n.01"):
        read(wordnet, ids=["tench.n.01"])
    for text in ('{"a": 1}', "{", "[1]"):
        (tmp_path / "index.json").write_text(text)
        with pytest.raises(InputError, match=r"synsets in lines, an index|broken JSON"):
            read(wordnet, ids=tmp_path / "index.json")


WORDNET = Path("/usr/share/wordnet")


@pytest.mark.skipif(not (WORDNET / "data.noun").exists(), reason="needs WordNet 3.0 in /usr/share/wordnet")
@pytest.mark.parametrize(("file", "synsets"), [("imagenet_synsets.txt", 1000), ("imagenet_synset_to_lemma.txt", 21844)])
def test_lists_of_timm_are_read(file: str, synsets: int) -> None:
    listed = resources.files("timm.data") / "_info" / file
    given = {line.split()[0] for line in listed.read_text(encoding="utf-8").splitlines()}
    tree = read(WORDNET, ids=str(listed), parents="first")
    assert len(given) == synsets
    assert given <= set(tree.columns["id"].tolist())
