"""Datasets by name, and from a run's configuration."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tomli_w

from cladewise import InputError, Taxonomy, datasets
from cladewise.datasets import Dataset

TREE = Taxonomy.from_paths([("bird", "wren"), ("bird", "robin"), ("moth",)])


@pytest.fixture
def photos(tmp_path: Path, draw) -> Path:
    for number in range(12):
        draw(f"photos/wren/{number}.png")
        draw(f"photos/moth/{number}.png")
    return tmp_path / "photos"


def reopened(data: Dataset, **options: Any) -> Dataset:
    return datasets.open(tomllib.loads(tomli_w.dumps(data.source)), **options)


def assert_same(first: Dataset, second: Dataset) -> None:
    assert first.paths == second.paths
    assert first.taxonomy == second.taxonomy
    assert first.source == second.source
    np.testing.assert_array_equal(first.nodes, second.nodes)
    assert set(first.splits) == set(second.splits)
    for name, part in first.splits.items():
        np.testing.assert_array_equal(part, second.splits[name])


def test_a_source_gives_the_same_data_set_again(photos: Path) -> None:
    data = datasets.from_folder(photos, seed=7, fractions={"train": 0.5, "test": 0.5})
    assert_same(data, reopened(data))
    data = datasets.hold_out(datasets.hold_out(data, "train", 0.25, seed=1), "test", 0.5, into="val")
    assert_same(data, reopened(data))
    data = datasets.hold_out(datasets.fold(data, "train+val", 1, 3, seed=2), "left-out", 0.5, into="half")
    assert_same(data, reopened(data))
    data = datasets.split(data, {"train": 0.9, "test": 0.1}, 3)
    assert_same(data, reopened(data))


def test_a_manifest_with_a_taxonomy_file(photos: Path, tmp_path: Path) -> None:
    (tmp_path / "tree.csv").write_text("order,species\nbird,wren\nbird,robin\nmoth,\n")
    (tmp_path / "images.csv").write_text("path,label\nwren/1.png,wren\nmoth/1.png,moth\n")
    data = datasets.from_manifest(tmp_path / "images.csv", tmp_path / "tree.csv", root=photos)
    assert data.taxonomy.num_leaves == 3
    assert_same(data, reopened(data))


def test_the_options_of_reading_a_taxonomy_are_kept(photos: Path, tmp_path: Path) -> None:
    (tmp_path / "tree.csv").write_text("wren;bird\nrobin;bird\nmoth;insect\n")
    (tmp_path / "images.csv").write_text("path,label\nwren/1.png,wren\nmoth/1.png,moth\n")
    options = {"header": "none", "separator": ";", "levels": ["2", "1"]}
    data = datasets.from_manifest(tmp_path / "images.csv", tmp_path / "tree.csv", taxonomy_options=options, root=photos)
    assert [data.taxonomy.path_name(int(node)) for node in data.nodes] == ["bird/wren", "insect/moth"]
    assert data.source["taxonomy_options"] == options
    assert_same(data, reopened(data))
    data = datasets.from_folder(photos, tmp_path / "tree.csv", taxonomy_options=options)
    assert_same(data, reopened(data))


def test_a_taxonomy_without_a_file_must_be_given_again(photos: Path) -> None:
    data = datasets.from_folder(photos, TREE)
    assert_same(data, reopened(data, taxonomy=TREE))
    with pytest.raises(InputError, match="the taxonomy that these labels were made with, but got another one"):
        reopened(data)


def test_names_and_kinds_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"the name of a dataset: emoji-food-animals, .* but got 'imagenet'"):
        datasets.load("imagenet")
    with pytest.raises(InputError, match=r"a kind of dataset: folder, .* but got 'zip'"):
        datasets.open({"kind": "zip"})
    with pytest.raises(InputError, match="the option path for grocery-store, but got none"):
        datasets.load("grocery-store")
    with pytest.raises(InputError, match="options of emoji: exclude, test, but got tests"):
        datasets.load("emoji", tests=["noto"])


def test_what_is_available_needs_no_network() -> None:
    of_imagenet = {"living-17", "nonliving-26", "entity-13", "entity-30", "imagenet-1k", "tiered-imagenet-h"}
    of_species = {"inat-2018", "inat-2019", "inat-2021", "inat-2021-mini", "ethec"}
    emoji = {"emoji", "emoji-objects", "emoji-food-animals"}
    photographs = {"grocery-store", "fgvc-aircraft", "cub-200-2011", "stanford-cars", "nabirds"}
    small = {"cifar-100", "fashion-mnist"}
    drawings = {"openclipart"}
    assert set(datasets.available()) == {*emoji, *drawings, *photographs, *small, *of_imagenet, *of_species}
    assert all(text and "\n" not in text for text in datasets.available().values())
