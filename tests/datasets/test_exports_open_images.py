"""Open Images' tables of labels, with its hierarchy as the tree."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from cladewise.datasets import open
from cladewise.datasets.finding import find_data
from cladewise.errors import InputError, InputWarning
from cladewise.taxonomy.formats.options import ReadOptions

HEADER = "ImageID,Source,LabelName,Confidence\n"
KINDS = [{"LabelName": "/m/fruit", "Subcategory": [{"LabelName": "/m/apple"}]}, {"LabelName": "/m/person"}]


def put(folder: Path) -> Path:
    (folder / "bbox_labels_600_hierarchy.json").write_text(json.dumps({"LabelName": "/m/0bl9f", "Subcategory": KINDS}))
    names = "/m/fruit,Fruit\n/m/apple,Apple\n/m/person,Person\n"
    (folder / "class-descriptions-boxable.csv").write_text(names)
    for split, first in (("train", "0000"), ("validation", "00a1")):
        rows = [(f"{first}01", "/m/apple", 1), (f"{first}01", "/m/fruit", 1), (f"{first}01", "/m/person", 0)]
        rows += [(f"{first}02", "/m/person", 1), (f"{first}02", "/m/apple", 1), (f"{first}03", "/m/fruit", 0.8)]
        text = "".join(f"{image},verification,{label},{sure}\n" for image, label, sure in rows)
        (folder / f"{split}-annotations-human-imagelabels-boxable.csv").write_text(HEADER + text)
        (folder / split).mkdir()
        for number in (1, 2, 3):
            Image.new("RGB", (8, 8)).save(folder / split / f"{first}0{number}.jpg")
    return folder


def test_confirmed_labels_are_found_in_the_hierarchy(tmp_path: Path) -> None:
    hierarchy = put(tmp_path) / "bbox_labels_600_hierarchy.json"
    with pytest.warns(InputWarning, match="2 images with several labels"):
        dataset = find_data(str(tmp_path), hierarchy, reading=ReadOptions(parents="all"))
    assert dataset.paths == ("train/000001.jpg", "validation/00a101.jpg")
    assert [dataset.taxonomy.path_name(int(node)) for node in dataset.nodes] == ["Entity/Fruit/Apple"] * 2
    assert {name: images.tolist() for name, images in dataset.splits.items()} == {"train": [0], "val": [1]}
    options: Any = {"reading": ReadOptions(parents="all"), "confidence": 0.7}
    with pytest.warns(InputWarning, match="2 images"):
        sure = find_data(str(tmp_path), hierarchy, **options)
    with pytest.warns(InputWarning, match="2 images"):
        assert open(sure.source).paths == sure.paths
    assert "train/000003.jpg" in sure.paths


def test_one_table_is_split_anew_and_boxes_are_labels(tmp_path: Path) -> None:
    put(tmp_path)
    boxes = tmp_path / "train-annotations-bbox.csv"
    boxes.write_text(HEADER.strip() + ",XMin,XMax\n000001,xclick,/m/apple,1,0,0.5\n000002,xclick,/m/person,1,0,1\n")
    dataset = find_data(str(boxes))
    assert sorted(dataset.taxonomy.names[dataset.nodes].tolist()) == ["/m/apple", "/m/person"]
    assert dataset.root == tmp_path / "train"
    with pytest.raises(InputError, match="labels with a confidence of at least 2, but got none"):
        find_data(str(boxes), confidence=2)
    with pytest.raises(InputError, match=r"none of the first 2, such as '000001.jpg'.*root="):
        find_data(str(boxes), root=str(tmp_path / "validation"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="a table with ImageID, LabelName and Confidence, but got none"):
        find_data(str(tmp_path / "empty"), format="open-images")
