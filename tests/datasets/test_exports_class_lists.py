"""CUB-200 and NABirds: text files of classes, images and splits, by ids."""

from __future__ import annotations

from pathlib import Path

import networkx as nx
import numpy as np
import pytest
from PIL import Image

from cladewise.datasets import open
from cladewise.datasets.finding import find_data
from cladewise.errors import InputError
from cladewise.taxonomy import read

NABIRDS = {
    "classes.txt": "0 Birds\n1 Ducks, Geese, and Swans\n20 Wood Duck\n817 Wood Duck (Breeding male)\n"
    "818 Wood Duck (Female/Eclipse male)\n9 Perching Birds\n999 Common Raven\n1005 Wood Duck\n",
    "hierarchy.txt": "1 0\n20 1\n817 20\n818 20\n9 0\n999 9\n1005 9\n",
    "images.txt": "0000139e-21dc 0817/a1.jpg\n0000d9fc-4e02 0818/b1.jpg\n"
    "00019306-9d83 0999/c1.jpg\n0002-3 1005/d 1.jpg\n",
    "image_class_labels.txt": "0000139e-21dc 817\n0000d9fc-4e02 818\n00019306-9d83 999\n0002-3 1005\n",
    "train_test_split.txt": "0000139e-21dc 1\n0000d9fc-4e02 0\n00019306-9d83 1\n0002-3 0\n",
}
LABELS = NABIRDS["image_class_labels.txt"]
CUB = {
    "classes.txt": "1 001.Black_footed_Albatross\n2 002.Laysan_Albatross\n",
    "images.txt": "1 001.Black_footed_Albatross/x_1.jpg\n2 002.Laysan_Albatross/y_2.jpg\n",
    "image_class_labels.txt": "1 1\n2 2\n",
    "train_test_split.txt": "1 0\n2 1\n",
}


def put(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).write_text(text)
    for line in files["images.txt"].splitlines():
        path = folder / "images" / line.split(" ", 1)[1]
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8)).save(path)
    return folder


def test_nabirds_is_a_tree_with_repeated_names(tmp_path: Path) -> None:
    tree = read(put(tmp_path, NABIRDS))
    names = dict(line.split(" ", 1) for line in NABIRDS["classes.txt"].splitlines())
    graph = nx.DiGraph(line.split()[::-1] for line in NABIRDS["hierarchy.txt"].splitlines())
    assert nx.is_arborescence(graph)
    for identifier in graph:
        path = nx.shortest_path(graph, "0", identifier)
        assert tree.path_names(tree.find(identifier)) == tuple(names[step] for step in path)
    assert (tree.num_nodes, tree.synthetic_root, len(tree.matches("Wood Duck"))) == (len(graph), False, 2)


def test_nabirds_is_a_dataset_with_its_splits(tmp_path: Path) -> None:
    dataset = find_data(str(put(tmp_path, NABIRDS)))
    ids = dataset.taxonomy.columns["id"][dataset.nodes].tolist()
    assert dict(zip(dataset.paths, ids, strict=True)) == {
        "0817/a1.jpg": "817",
        "0818/b1.jpg": "818",
        "0999/c1.jpg": "999",
        "1005/d 1.jpg": "1005",
    }
    assert {name: images.tolist() for name, images in dataset.splits.items()} == {"train": [0, 2], "test": [1, 3]}
    assert open(dataset.source).paths == dataset.paths


def test_cub_has_no_tree_but_takes_one(tmp_path: Path) -> None:
    folder = put(tmp_path, CUB)
    dataset = find_data(str(folder), format="class-lists")  # else it is the published set, with orders and families
    assert [dataset.taxonomy.path_name(node) for node in dataset.nodes] == [
        "001.Black_footed_Albatross",
        "002.Laysan_Albatross",
    ]
    assert dataset.taxonomy.find(["Laysan Albatross", "Laysan_Albatross", "2"]).tolist() == [2, 2, 2]
    (tmp_path / "tree.csv").write_text(
        "family,species\nalbatross,001.Black_footed_Albatross\nalbatross,002.Laysan_Albatross\n"
    )
    other = find_data(str(folder), tmp_path / "tree.csv")
    assert np.array_equal(other.taxonomy.depth[other.nodes], [2, 2])
    assert read(folder).num_leaves == 2


@pytest.mark.parametrize(
    ("file", "text", "told"),
    [
        ("hierarchy.txt", "1 0\n20 7\n", "ids of classes.txt in hierarchy.txt, but got '7'"),
        ("hierarchy.txt", "1 20\n20 1\n", "a cycle: 1 → 20 → 1"),
        ("classes.txt", "0 Birds\n0 Ducks\n", r"an id again: '0 Ducks' at .*classes\.txt:2"),
        ("classes.txt", "0\n", r"no value: '0' at .*classes\.txt:1"),
        ("image_class_labels.txt", "0000139e-21dc 817\n", "3 without labels"),
        ("image_class_labels.txt", LABELS.replace(" 999", " 5"), "classes of classes.txt, but got '5'"),
        ("train_test_split.txt", "x 1\n", "1 without images: 'x'"),
    ],
)
def test_files_that_do_not_fit_together_are_refused(tmp_path: Path, file: str, text: str, told: str) -> None:
    put(tmp_path, NABIRDS)
    (tmp_path / file).write_text(text)
    with pytest.raises(InputError, match=told):
        find_data(str(tmp_path))
