"""COCO and iNaturalist categories as trees, and trees as categories, with pycocotools as their reader."""

from __future__ import annotations

import contextlib
import io
import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pycocotools.coco import COCO

from cladewise import Taxonomy
from cladewise.errors import InputError, InputWarning
from cladewise.taxonomy import read, write
from cladewise.taxonomy.formats.documents.coco_categories import tree_of_categories
from cladewise.taxonomy.formats.documents.json_text import MAX_BYTES
from strategies import graph_taxonomies, taxonomies

RANKS = {"kingdom": "Animalia", "phylum": "Chordata", "class": "Aves", "order": "Passeriformes", "family": "Turdidae"}


def written(folder: Path, categories: Any) -> Path:
    path = folder / "categories.json"
    path.write_text(json.dumps(categories))
    return path


def tree_of(folder: Path, *categories: dict[str, Any]) -> Taxonomy:
    return read(written(folder, {"info": {}, "images": [], "annotations": [], "categories": list(categories)}))


def paths(tree: Taxonomy) -> list[str]:
    return [tree.path_name(node) for node in range(1 if tree.synthetic_root else 0, tree.num_nodes)]


def test_inaturalist_has_ranks_common_names_and_iconic_groups(tmp_path: Path) -> None:
    thrush = {
        "id": 17,
        "name": "Turdus merula",
        "common_name": "Eurasian Blackbird",
        "supercategory": "Birds",
        **RANKS,
        "genus": "Turdus",
        "specific_epithet": "merula",
        "image_dir_name": "00017_Animalia_Chordata_Aves_Passeriformes_Turdidae_Turdus_merula",
    }
    moth = {**thrush, "id": 18, "name": "Amata phegea", "common_name": "", "supercategory": "Insects"}
    moth |= {"phylum": "Arthropoda", "class": "Insecta", "order": "", "family": "Erebidae", "genus": "Amata"}
    tree = tree_of(tmp_path, thrush, moth)
    assert tree.level_names == ("kingdom", "phylum", "class", "order", "family", "genus", "species")
    blackbird, amata = tree.find("17"), tree.find("Amata phegea")
    assert tree.path_name(blackbird) == "Animalia/Chordata/Aves/Passeriformes/Turdidae/Turdus/Turdus merula"
    assert tree.path_name(amata) == "Animalia/Arthropoda/Insecta/Erebidae/Amata/Amata phegea"
    assert (tree.level[tree.parents[amata]], tree.depth[amata]) == (6, 6)
    found = {key: str(values[blackbird]) for key, values in tree.columns.items()}
    assert found == {
        "id": "17",
        "name:en": "Eurasian Blackbird",
        "supercategory": "Birds",
        "specific_epithet": "merula",
        "image_dir_name": thrush["image_dir_name"],
    }
    tree.write(tmp_path / "nodes.csv")  # the table of a run folder, which needs an id for every node
    assert read(tmp_path / "nodes.csv").find("18") == amata


def test_an_annotation_file_of_any_size_is_read_for_its_categories(tmp_path: Path) -> None:
    categories = [{"id": 1, "name": "wren", "supercategory": "bird"}]
    annotations = [{"id": 1, "image_id": 1, "category_id": 1, "segmentation": {"counts": "x" * MAX_BYTES}}]
    path = written(tmp_path, {"images": [], "annotations": annotations, "categories": categories})
    assert path.stat().st_size > MAX_BYTES
    assert paths(read(path)) == ["bird", "bird/wren"]


def test_a_category_of_a_coarser_rank_is_that_taxon(tmp_path: Path) -> None:
    species = {"id": 2, "name": "Turdus merula", **RANKS, "genus": "Turdus"}
    tree = tree_of(
        tmp_path,
        species,
        {"id": 5, "name": "Turdidae", **RANKS},
        {"id": 9, "name": "Turdus", **RANKS, "genus": "Turdus"},
    )
    assert [tree.path_names(tree.find(i))[-2:] for i in ("2", "5", "9")] == [
        ("Turdus", "Turdus merula"),
        ("Passeriformes", "Turdidae"),
        ("Turdidae", "Turdus"),
    ]
    assert tree.num_nodes == 8


@pytest.mark.parametrize(
    ("categories", "found"),
    [
        # Roboflow: a class 0 that stands for the project, also where a class has its name
        ([("birds", "none"), ("robin", "birds"), ("wren", "birds")], ["birds", "birds/robin", "birds/wren"]),
        ([("hares", "none"), ("hares", "hares"), ("rabbits", "hares")], ["hares", "hares/hares", "hares/rabbits"]),
        # labelme2coco: every category is its own supercategory
        ([("cat", "cat"), ("dog", "dog")], ["cat", "dog"]),
        # two of one name, under different and under the same supercategory
        ([("crane", "bird"), ("crane", "machine")], ["bird", "bird/crane", "machine", "machine/crane"]),
        ([("gull", "bird"), ("gull", "bird")], ["bird", "bird/gull", "bird/gull"]),
    ],
)  # fmt: skip
def test_every_category_is_a_node_of_its_own(tmp_path: Path, categories: Any, found: list[str]) -> None:
    records = [{"id": 10 - n, "name": name, "supercategory": up} for n, (name, up) in enumerate(categories)]
    made = tree_of_categories(records, "here")
    assert paths(made.taxonomy) == found
    assert made.taxonomy.columns["id"][made.nodes].tolist() == [str(record["id"]) for record in records]
    with warnings.catch_warnings(record=True):
        warnings.simplefilter("always")
        assert paths(tree_of(tmp_path, *records)) == found
        assert paths(read(written(tmp_path, records))) == found  # a list alone


def test_parents_are_ids_or_names(tmp_path: Path) -> None:
    by_id = [{"id": 1, "name": "a", "parent": 3, "supercategory": "x"}, {"id": 3, "name": "b", "parent": None}]
    tree = tree_of(tmp_path, *by_id)
    assert (paths(tree), tree.columns["supercategory"].tolist()) == (["b", "b/a"], ["", "x"])
    by_name = [
        {"id": 1, "name": "a", "parent_id": "b"},
        {"id": 3, "name": "b", "parent_id": -1},
        {"id": 4, "name": "c"},
    ]
    assert paths(tree_of(tmp_path, *by_name)) == ["b", "b/a", "c"]


REFUSED = [
    ([{"id": 1, "name": "a", "supercategory": "s"}, {"id": 1, "name": "b"}], "a different id for every category"),
    ([{"id": 1, "name": "a", "parent": 7}, {"id": 2, "name": "b"}], "'7' of 'a'"),
    ([{"id": 1, "name": "a", "parent": 2}, {"id": 2, "name": "b", "parent": 1}], "a cycle: a → b → a"),
    ([{"id": n, "name": "aab"[n], "supercategory": "bba"[n]} for n in range(3)], "2 called 'a', the parent of 'b'"),
    ([{"id": 1, "name": "a", "synset": "a.n.01"}], "WordNet's folder with ids="),
    ([{"id": 1, "name": ""}, {"id": 2, "name": "b", "supercategory": "c"}], "a name for every node"),
]  # fmt: skip


@pytest.mark.parametrize(("categories", "told"), REFUSED, ids=[told for _, told in REFUSED])
def test_categories_that_are_no_tree_are_refused(tmp_path: Path, categories: list[dict[str, Any]], told: str) -> None:
    with pytest.raises(InputError, match=told) as error:
        tree_of(tmp_path, *categories)
    assert "categories.json" in error.value.at


@settings(max_examples=60, deadline=None)
@given(st.one_of(taxonomies(min_nodes=2), graph_taxonomies()))
def test_categories_that_are_written_are_read_back_as_the_same_tree(tmp_path_factory: Any, tree: Taxonomy) -> None:
    assume(tree.num_nodes > 1)
    path = tmp_path_factory.mktemp("coco") / "tree.json"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InputWarning)
        write(tree, path, format="coco")
        again = read(path)
    assert again.path_names(again.num_nodes - 1) == tree.path_names(tree.num_nodes - 1)
    assert np.array_equal(again.parents, tree.parents)
    assert again.names.tolist() == tree.names.tolist()
    assert np.array_equal(again.level, tree.level)
    assert np.array_equal(again.further_parents, tree.further_parents)
    assert again.level_names == tree.level_names


def test_pycocotools_sees_names_ids_and_supercategories(tmp_path: Path) -> None:
    tree = Taxonomy(
        [-1, 0, 1, 1, 0],
        ["", "bird", "wren", "robin", "moth"],
        columns={
            "id": ["", "b", "7", "3", "9"],
            "name:en": ["", "", "Wren", "", ""],
            "synonyms": ["", "", r"jenny|w\|x", "", ""],
        },
    )
    write(tree, tmp_path / "tree.json", format="coco")
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO(str(tmp_path / "tree.json"))
    assert coco.getCatIds() == [11, 7, 3, 9]
    assert coco.getCatIds(supNms=["bird"]) == [7, 3]
    assert coco.loadCats([7]) == [
        {
            "id": 7,
            "name": "wren",
            "supercategory": "bird",
            "parent": 11,
            "common_name": "Wren",
            "synonyms": ["jenny", "w|x"],
        }
    ]
    again = read(tmp_path / "tree.json")
    assert (again.columns["name:en"].tolist(), again.columns["synonyms"].tolist()) == (
        tree.columns["name:en"].tolist(),
        tree.columns["synonyms"].tolist(),
    )


def test_ids_that_are_no_numbers_are_told(tmp_path: Path) -> None:
    tree = Taxonomy([-1, 0, 0], ["", "a", "b"], columns={"id": ["", "x", "y"]})
    with pytest.warns(InputWarning, match="Ids that are no whole numbers, or repeat: the categories have the numbers"):
        write(tree, tmp_path / "tree.json", format="coco")
    with pytest.raises(InputError, match="further columns with other names than name, parent, level"):
        write(Taxonomy([-1], ["a"], columns={"parent": ["b"]}), tmp_path / "tree.json", format="coco")
