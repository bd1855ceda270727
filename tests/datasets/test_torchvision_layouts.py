"""Torchvision's classes read the same files, and agree image by image."""

from __future__ import annotations

import gzip
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from torchvision.datasets import CIFAR100, FashionMNIST, FGVCAircraft, StanfordCars

from cladewise import InputError, datasets
from cladewise.datasets import Dataset


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLADEWISE_CACHE", str(tmp_path / "cache"))


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def assert_same(found: Dataset, split: str, theirs, names: list[str], level: int) -> None:
    ours = found.indices(split)
    assert len(theirs) == ours.size > 0
    at_level = found.taxonomy.at_level(level)
    for position, image in enumerate(ours.tolist()):
        picture, label = theirs[position]
        np.testing.assert_array_equal(pixels(found.root / found.paths[image]), np.asarray(picture.convert("RGB")))
        assert str(found.taxonomy.names[at_level[found.nodes[image]]]) == names[label]


@pytest.mark.parametrize("split", ["train", "val", "train+val", "test"])
def test_aircraft(tmp_path: Path, split: str) -> None:
    options = datasets.write_made_up("fgvc-aircraft", tmp_path)
    found = datasets.load("fgvc-aircraft", **options)
    for level, name in enumerate(("manufacturer", "family", "variant"), start=1):
        theirs = FGVCAircraft(tmp_path, split="trainval" if split == "train+val" else split, annotation_level=name)
        assert_same(found, split, theirs, theirs.classes, level)
    for place in (tmp_path, tmp_path / "fgvc-aircraft-2013b" / "data"):
        assert datasets.load("fgvc-aircraft", path=place, partial=True).paths == found.paths


def test_cars(tmp_path: Path) -> None:
    options = datasets.write_made_up("stanford-cars", tmp_path)
    found = datasets.load("stanford-cars", **options)
    for split in ("train", "test"):
        theirs = StanfordCars(tmp_path, split=split)
        assert_same(found, split, theirs, theirs.classes, 2)
    root = tmp_path / "stanford_cars"
    labels = "cars_test_annos_withlabels.mat"
    shutil.move(root / labels, root / "devkit" / labels)  # as in the authors' archive
    assert datasets.load("stanford-cars", path=tmp_path, partial=True).paths == found.paths
    (root / "devkit" / labels).unlink()
    with pytest.raises(InputError, match=f"the file {labels} or devkit/{labels} of Stanford Cars, but got none"):
        datasets.load("stanford-cars", **options)


class UncheckedCIFAR100(CIFAR100):
    """Without the hashes of the official files."""

    train_list = [["train", None]]  # noqa: RUF012
    test_list = [["test", None]]  # noqa: RUF012
    meta = {"filename": "meta", "key": "fine_label_names", "md5": None}  # noqa: RUF012


def test_cifar(tmp_path: Path) -> None:
    options = datasets.write_made_up("cifar-100", tmp_path)
    found = datasets.load("cifar-100", **options)
    for split in ("train", "test"):
        theirs = UncheckedCIFAR100(tmp_path, train=split == "train")
        assert_same(found, split, theirs, theirs.classes, 2)
    assert datasets.load("cifar-100", path=tmp_path, partial=True).paths == found.paths


def test_fashion(tmp_path: Path) -> None:
    options = datasets.write_made_up("fashion-mnist", tmp_path)
    found = datasets.load("fashion-mnist", **options)
    for split in ("train", "test"):
        theirs = FashionMNIST(tmp_path, train=split == "train")
        assert_same(found, split, theirs, theirs.classes, 3)
    raw = tmp_path / "FashionMNIST/raw"
    for file in list(raw.iterdir()):
        (tmp_path / f"{file.name}.gz").write_bytes(gzip.compress(file.read_bytes()))
    shutil.rmtree(tmp_path / "FashionMNIST")
    compressed = datasets.load("fashion-mnist", path=tmp_path, partial=True)
    assert (compressed.paths, compressed.root) == (found.paths, found.root)
