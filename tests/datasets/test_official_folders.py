"""Published datasets in folders as people unpack them, and messages about files that are missing or damaged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cladewise import datasets
from cladewise.datasets.finding import find_data
from cladewise.datasets.published.official_files import official_folder
from cladewise.datasets.published.registry import PUBLISHED, recognised, write_made_up
from cladewise.errors import InputError

NAMES = (
    "cub-200-2011",
    "nabirds",
    "stanford-cars",
    "fgvc-aircraft",
    "cifar-100",
    "fashion-mnist",
    "grocery-store",
    "ethec",
    "inat-2018",
    "inat-2019",
    "inat-2021",
    "inat-2021-mini",
    "imagenet-1k",
    "living-17",
)
RECOGNISED = tuple(name for name in NAMES if PUBLISHED[name].recognises)
INSIDE = {"cub-200-2011": "images", "fgvc-aircraft": "images", "stanford-cars": "devkit", "inat-2018": "train_val2018"}


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLADEWISE_CACHE", str(tmp_path / "cache"))


def made_up(name: str, folder: Path) -> dict[str, Any]:
    return write_made_up(name, folder / name, images_per_class=1)


@pytest.mark.parametrize("name", NAMES)
def test_an_archive_unpacked_into_folders_of_its_name_is_found(name: str, tmp_path: Path) -> None:
    options = made_up(name, tmp_path)
    expected = datasets.load(name, **options)
    own = Path(options["path"])
    nested = tmp_path / "nested" / own.name / own.name
    nested.parent.mkdir(parents=True)
    own.rename(nested)
    options["path"] = str(tmp_path / "nested")
    found = datasets.load(name, **options)
    assert found.paths == expected.paths
    assert found.nodes.tolist() == expected.nodes.tolist()
    assert datasets.open(found.source).paths == expected.paths


@pytest.mark.parametrize("name", RECOGNISED)
def test_a_folder_alone_is_recognised_with_folders_around_it(name: str, tmp_path: Path) -> None:
    own = Path(made_up(name, tmp_path)["path"])
    nested = tmp_path / "nested" / "fashion-mnist" / own.name  # whose files alone are called like MNIST's
    nested.parent.mkdir(parents=True)
    own.rename(nested)
    for folder in (nested, nested.parent, nested.parent.parent):
        entry = recognised(folder)
        assert entry is not None
        assert entry.name == name
    with pytest.warns(UserWarning, match=f"in the layout of {name}"):
        assert find_data(str(nested)).name == name


@pytest.mark.parametrize(("name", "inside"), INSIDE.items())
def test_a_folder_of_the_archive_stands_for_the_whole(name: str, inside: str, tmp_path: Path) -> None:
    options = made_up(name, tmp_path)
    folder = next(Path(options["path"]).rglob(inside))
    assert datasets.load(name, path=folder, partial=True).paths == datasets.load(name, **options).paths


def test_a_complete_folder_is_preferred_to_an_incomplete_one(tmp_path: Path) -> None:
    for file in ("a/1.txt", "b/1.txt", "b/2.txt"):
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).touch()
    assert official_folder(tmp_path, ["1.txt", ("2.txt", "3.txt")], ["a", "b"]) == tmp_path / "b"
    assert official_folder(tmp_path, ["2.txt", "4.txt"], ["a", "b"]) == tmp_path / "b"
    assert official_folder(tmp_path, ["4.txt"], ["a", "b"]) is None


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("cub-200-2011", "images.txt"),
        ("cub-200-2011", "train_test_split.txt"),
        ("nabirds", "hierarchy.txt"),
        ("fgvc-aircraft", "images_variant_train.txt"),
        ("stanford-cars", "devkit/cars_meta.mat"),
        ("cifar-100", "meta"),
        ("cifar-100", "test"),
        ("grocery-store", "val.txt"),
        ("inat-2018", "val2018.json"),
    ],
)
def test_the_message_names_the_missing_file_and_its_place(name: str, file: str, tmp_path: Path) -> None:
    options = made_up(name, tmp_path)
    lost = next(Path(options["path"]).rglob(Path(file).name))
    lost.unlink()
    options["path"] = str(tmp_path / name)
    with pytest.raises(InputError, match=rf"the file {file} of ") as error:
        datasets.load(name, **options)
    assert error.value.at == str(lost.parent if "/" not in file else lost.parent.parent)
    assert error.value.advice


def test_the_message_about_a_missing_folder_says_where_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a folder of images, but got no such folder .*dl\.allaboutbirds\.org"):
        datasets.load("nabirds", path=tmp_path / "birds")


@pytest.mark.parametrize(
    ("name", "file", "text", "message"),
    [
        ("cub-200-2011", "train_test_split.txt", "1 1\n2 0\n", "18 without splits"),
        ("cub-200-2011", "train_test_split.txt", "", "an empty file"),
        ("cub-200-2011", "train_test_split.txt", "".join(f"{n} 2\n" for n in range(1, 21)), "2 of 1\\b"),
        ("nabirds", "hierarchy.txt", "", "an empty file"),
        ("nabirds", "hierarchy.txt", "1 0\n2 0\n20 1\n", "10 classes without a parent"),
    ],
)
def test_lists_that_are_cut_short_are_refused(name: str, file: str, text: str, message: str, tmp_path: Path) -> None:
    options = made_up(name, tmp_path)
    (Path(options["path"]) / file).write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=message):
        datasets.load(name, **options)


def test_photographs_of_cars_may_be_in_folders_of_the_same_name(tmp_path: Path) -> None:
    options = made_up("stanford-cars", tmp_path)
    expected = datasets.load("stanford-cars", **options)
    for split in ("train", "test"):
        folder = Path(options["path"]) / f"cars_{split}"
        folder.rename(folder.with_name("photos"))
        folder.mkdir()
        folder.with_name("photos").rename(folder / folder.name)
    found = datasets.load("stanford-cars", **options)
    assert found.nodes.tolist() == expected.nodes.tolist()
    assert found.paths[0] == "cars_train/" + expected.paths[0]


def test_a_folder_with_several_datasets_has_to_be_named(tmp_path: Path) -> None:
    for name in ("fgvc-aircraft", "stanford-cars"):
        write_made_up(name, tmp_path / "torchvision")
    with pytest.raises(
        InputError, match=r"the files of fgvc-aircraft and stanford-cars at .*torchvision.*Pass the name"
    ):
        find_data(str(tmp_path / "torchvision"))
    assert datasets.load("stanford-cars", path=tmp_path / "torchvision", partial=True).name == "stanford-cars"


def test_images_of_a_breeds_task_may_be_laid_out_as_on_kaggle(tmp_path: Path) -> None:
    options = made_up("living-17", tmp_path)
    expected = datasets.load("living-17", **options)
    own, kaggle = Path(options["path"]), tmp_path / "kaggle" / "ILSVRC" / "Data" / "CLS-LOC"
    kaggle.parent.mkdir(parents=True)
    own.rename(kaggle)
    rows = ["ImageId,PredictionString"]
    for file in sorted((kaggle / "val").glob("*/*")):
        name = f"{len(rows):08d}"
        rows.append(f"{name},{file.parent.name} 1 2 3 4")
        file.rename(kaggle / "val" / f"{name}{file.suffix}")
    for folder in (kaggle / "val").iterdir():
        if folder.is_dir():
            folder.rmdir()
    (tmp_path / "kaggle" / "LOC_val_solution.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    options["path"] = str(tmp_path / "kaggle")
    found = datasets.load("living-17", **options)
    assert found.taxonomy.fingerprint == expected.taxonomy.fingerprint
    assert {split: sorted(found.nodes[at]) for split, at in found.splits.items()} == {
        split: sorted(expected.nodes[at]) for split, at in expected.splits.items()
    }
