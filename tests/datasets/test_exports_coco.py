"""COCO annotations as datasets, in the layouts of COCO, iNaturalist and Roboflow; pycocotools says what is in them."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pycocotools.coco import COCO

from cladewise import Taxonomy
from cladewise.datasets import Dataset, from_export, open
from cladewise.datasets.finding import find_data
from cladewise.errors import InputError, InputWarning

RANKS = ("kingdom", "class", "family", "genus")
SPECIES = [
    ("Animalia", "Aves", "Turdidae", "Turdus", "Turdus merula"),
    ("Animalia", "Aves", "Turdidae", "Turdus", "Turdus pilaris"),
    ("Animalia", "Aves", "Paridae", "Parus", "Parus major"),
    ("Plantae", "Liliopsida", "Poaceae", "Poa", "Poa annua"),
]
INAT = [
    {"id": n, "name": names[-1], "supercategory": "Birds", **dict(zip(RANKS, names, strict=False))}
    for n, names in enumerate(SPECIES)
]


def put(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8)).save(folder / name)


def write(path: Path, images: dict[Any, str], labels: list[tuple[Any, int]], categories: Any, **more: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    document = {
        "info": {"year": 2018},
        "images": [{"id": k, "file_name": name, "width": 8, "license": "x"} for k, name in images.items()],
        "annotations": [{"id": n, "image_id": image, "category_id": c, **more} for n, (image, c) in enumerate(labels)],
        "categories": categories,
    }
    path.write_text(json.dumps(document))
    return path


def split_of(dataset: Dataset, split: str) -> dict[str, str]:
    return {dataset.paths[i]: dataset.taxonomy.path_names(int(dataset.nodes[i]))[-1] for i in dataset.splits[split]}


def truth(*files: Path) -> dict[str, set[str]]:
    """Names of the categories of every image, by pycocotools."""
    found: dict[str, set[str]] = {}
    for file in files:
        with contextlib.redirect_stdout(io.StringIO()):
            coco = COCO(str(file))
        for image in coco.dataset["images"]:
            annotations = coco.loadAnns(coco.getAnnIds(imgIds=[image["id"]]))
            found[image["file_name"]] = {coco.cats[each["category_id"]]["name"] for each in annotations}
    return found


@pytest.fixture
def inat(tmp_path: Path) -> Path:
    """A folder as iNaturalist's competitions publish it, with a test set without annotations."""
    random = np.random.default_rng(0)
    for year, (split, each) in enumerate({"train": 6, "val": 2, "test": 1}.items()):
        names = [f"train_val2018/{c}/{split}{n}.jpg" for c in range(4) for n in range(each)]
        put(tmp_path, *names)
        ids = random.permutation(len(names)) + 100 * year
        labels = [(int(i), n // each) for n, i in enumerate(ids)] if split != "test" else []
        write(tmp_path / f"{split}2018.json", dict(zip(ids.tolist(), names, strict=True)), labels, INAT)
    (tmp_path / "categories.json").write_text(json.dumps(INAT))
    return tmp_path


def test_inaturalist_is_read_whole(inat: Path) -> None:
    dataset = find_data(str(inat))
    assert {name: len(images) for name, images in dataset.splits.items()} == {"train": 24, "val": 8}
    assert {path: {name} for s in ("train", "val") for path, name in split_of(dataset, s).items()} == truth(
        inat / "train2018.json", inat / "val2018.json"
    )
    assert dataset.taxonomy.level_names == (*RANKS, "species")
    assert dataset.notes == ("test2018.json: 4 images without annotated categories, left out",)
    again = open(dataset.source)
    assert (again.paths, again.nodes.tolist()) == (dataset.paths, dataset.nodes.tolist())


def test_a_file_can_be_given_with_others_or_alone(inat: Path) -> None:
    both = find_data(str(inat / "train2018.json"), val="val2018.json")
    assert (len(both.splits["train"]), len(both.splits["val"])) == (24, 8)
    assert open(both.source).paths == both.paths
    alone = find_data(str(inat / "train2018.json"))
    assert set(alone.splits) == {"train", "val", "test"}
    assert len(alone) == 24
    with pytest.raises(InputError, match=r"an option of COCO annotations: .*val, test.*'vla'|'vla'"):
        find_data(str(inat / "train2018.json"), vla="val2018.json")
    with pytest.raises(InputError, match="a file of training images with val= or test=, but got a folder"):
        find_data(str(inat), val="val2018.json")


def test_coco_has_folders_of_images_and_several_labels_per_image(tmp_path: Path) -> None:
    categories = [
        {"id": 1, "name": "person", "supercategory": "person"},
        {"id": 17, "name": "cat", "supercategory": "animal"},
        {"id": 18, "name": "dog", "supercategory": "animal"},
    ]
    put(tmp_path, *(f"{split}2017/{n}.jpg" for split in ("train", "val") for n in range(4)))
    for split in ("train", "val"):
        images = {n: f"{n}.jpg" for n in range(4)}
        labels = [(0, 17), (0, 17), (1, 17), (1, 18), (2, 1), (2, 17)]
        write(tmp_path / f"annotations/instances_{split}2017.json", images, labels, categories, bbox=[0, 0, 4, 4])
        write(tmp_path / f"annotations/captions_{split}2017.json", images, [(0, 1)], categories, caption="a cat")
    with pytest.warns(InputWarning, match=r"4 images with several labels.*several=.common"):
        dataset = find_data(str(tmp_path))
    assert [split_of(dataset, split) for split in ("train", "val")] == [
        {"train2017/0.jpg": "cat"},
        {"val2017/0.jpg": "cat"},
    ]
    reasons = {skip.path: skip.reason for skip in dataset.skipped}
    assert reasons["train2017/1.jpg"] == "2 labels: animal/cat, animal/dog"
    assert reasons["val2017/3.jpg"] == "no label"
    with pytest.warns(InputWarning, match="nothing in common"):
        common = find_data(str(tmp_path), several="common")
    assert split_of(common, "train") == {"train2017/0.jpg": "cat", "train2017/1.jpg": "animal"}


def test_roboflow_has_a_file_per_split_beside_its_images(tmp_path: Path) -> None:
    categories = [{"id": 0, "name": "birds", "supercategory": "none"}] + [
        {"id": n, "name": name, "supercategory": "birds"} for n, name in enumerate(("robin", "wren"), start=1)
    ]
    for split in ("train", "valid", "test"):
        put(tmp_path / split, "1.jpg", "2.jpg")
        write(tmp_path / split / "_annotations.coco.json", {0: "1.jpg", 1: "2.jpg"}, [(0, 1), (1, 2)], categories)
    dataset = find_data(str(tmp_path))
    assert {name: split_of(dataset, name) for name in dataset.splits} == {
        name: {f"{folder}/1.jpg": "robin", f"{folder}/2.jpg": "wren"}
        for name, folder in (("train", "train"), ("val", "valid"), ("test", "test"))
    }
    assert dataset.taxonomy.path_name(0) == "birds"


def test_images_of_lvis_have_an_address_and_no_file_name(tmp_path: Path) -> None:
    put(tmp_path, "val2017/7.jpg")
    lvis = {
        "images": [{"id": 7, "coco_url": "http://images.cocodataset.org/val2017/7.jpg", "neg_category_ids": [2]}],
        "annotations": [{"id": 1, "image_id": 7, "category_id": 1, "segmentation": [[0, 0, 1, 1]]}],
        "categories": [{"id": 1, "name": "cow", "synset": "beef.n.01"}, {"id": 2, "name": "tench", "synset": "x.n.01"}],
    }
    (tmp_path / "lvis_v1_val.json").write_text(json.dumps(lvis))
    dataset = find_data(str(tmp_path / "lvis_v1_val.json"))
    assert (dataset.paths, dataset.taxonomy.names[dataset.nodes].tolist()) == (("val2017/7.jpg",), ["cow"])


def test_labels_are_found_in_another_tree(inat: Path) -> None:
    tree = Taxonomy.from_paths(
        [("thrush", "Turdus merula"), ("thrush", "Turdus pilaris"), ("Parus major",), ("Poa annua",)]
    )
    dataset = find_data(str(inat), root=str(inat))
    with pytest.raises(InputError, match="named as nodes of the taxonomy"):
        from_export(inat, Taxonomy.from_paths([("bird",)]))
    other = from_export(inat, tree)
    assert split_of(other, "val") == split_of(dataset, "val")
    assert other.taxonomy.find("thrush") == tree.parents[tree.find("Turdus merula")]


REFUSED: list[tuple[dict[str, Any], str]] = [
    (
        {"annotations": [{"image_id": 9, "category_id": 1}]},
        r"annotations of images that are listed, but got image_id .9. in 1",
    ),
    (
        {"annotations": [{"image_id": 1, "category_id": 9}]},
        r"annotations of categories that are listed.*category_id '9'",
    ),
    ({"images": [{"id": 1, "file_name": "a.jpg"}] * 2}, "a different id for every image, but got '1'"),
    ({"images": [{"id": 1}]}, r"images with an id and a file_name, but got no file name for the image with id 1 at"),
    ({"images": [{"id": 1, "file_name": "gone.jpg"}]}, r"none of the first 1, such as 'gone.jpg'.*root="),
    ({"annotations": []}, r"annotations with categories, but got .*1 images without annotated categories"),
    (
        {"annotations": [{"image_id": 1, "caption": "x"}]},
        r"an image_id and a category_id, but got annotations\[0\] with",
    ),
    ({"images": {"id": 1}}, r"a COCO annotation file with images, but got .*Expected `array`.* at `images`"),
    ({"images": [{"file_name": "a.jpg"}]}, r"missing required field `id` - at `images\[0\]` at .*labels.json"),
]


@pytest.mark.parametrize(("change", "told"), REFUSED, ids=[told[:30] for _, told in REFUSED])
def test_damaged_annotations_are_refused(tmp_path: Path, change: dict[str, Any], told: str) -> None:
    put(tmp_path, "a.jpg")
    file = write(tmp_path / "labels.json", {1: "a.jpg"}, [(1, 1)], [{"id": 1, "name": "wren"}])
    whole = file.read_text()
    file.write_text(json.dumps(json.loads(whole) | change))
    with pytest.raises(InputError, match=told):
        find_data(str(file))
    file.write_text(whole[:-9])
    with pytest.raises(InputError, match="broken JSON"):
        find_data(str(file))


def test_a_nan_of_python_and_ids_of_several_types_are_read(tmp_path: Path) -> None:
    put(tmp_path, "a.jpg", "b.jpg")
    file = write(tmp_path / "labels.json", {"x": "a.jpg", 7: "b.jpg"}, [("x", 1), (7, 2)], [
        {"id": 1, "name": "wren"},
        {"id": 2, "name": "robin"},
    ], score=float("nan"))  # fmt: skip
    assert "NaN" in file.read_text()
    dataset = find_data(str(file))
    assert [dataset.taxonomy.path_name(v) for v in dataset.nodes.tolist()] == ["wren", "robin"]


def test_categories_that_differ_between_files_are_refused(tmp_path: Path) -> None:
    put(tmp_path, "a.jpg", "b.jpg")
    first = write(tmp_path / "train.json", {1: "a.jpg"}, [(1, 1)], [{"id": 1, "name": "wren"}])
    write(tmp_path / "val.json", {1: "b.jpg"}, [(1, 1)], [{"id": 1, "name": "robin"}])
    with pytest.raises(InputError, match="the same categories in all files, but got 'wren' and 'robin' for id 1"):
        find_data(str(first), val="val.json")
