"""iNaturalist from made-up files: annotations against plain JSON, folders against torchvision."""

from __future__ import annotations

import json
import re
import shutil
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torchvision.datasets import INaturalist

from cladewise import InputError, datasets
from cladewise.datasets import Dataset
from cladewise.datasets.published.inaturalist.entries import INATURALIST
from cladewise.datasets.published.inaturalist.reading import from_inaturalist
from cladewise.datasets.published.inaturalist.versions import RANKS, VERSIONS
from cladewise.errors import InputWarning
from cladewise.losses import read_distances

NAMES = [entry.name for entry in INATURALIST]


@pytest.fixture
def made(tmp_path: Path) -> Callable[[str], Path]:
    def write(name: str) -> Path:
        return Path(datasets.write_made_up(name, tmp_path / name, images_per_class=3)["path"])

    return write


def labels(dataset: Dataset, split: str) -> dict[str, tuple[str, ...]]:
    """The names from kingdom to species of each image of a split."""
    return {dataset.paths[i]: dataset.taxonomy.path_names(int(dataset.nodes[i])) for i in dataset.splits[split]}


def by_json(root: Path, file: str, names: str | None) -> dict[str, tuple[str, ...]]:
    """The same, read from the annotations entry by entry."""
    document = json.loads((root / file).read_text())
    listed = json.loads((root / names).read_text()) if names else document["categories"]
    categories = {record["id"]: (*(record[rank] for rank in RANKS), record["name"]) for record in listed}
    files = {image["id"]: image["file_name"] for image in document["images"]}
    return {files[each["image_id"]]: categories[each["category_id"]] for each in document["annotations"]}


@pytest.mark.parametrize("name", NAMES)
def test_labels_are_those_of_the_annotations(name: str, made: Callable[[str], Path]) -> None:
    root, version = made(name), VERSIONS[name]
    found = from_inaturalist(name, root)
    names = "categories.json" if version.obfuscated else None
    for split, file in (("train", version.train), ("test", version.val)):
        expected = by_json(root, file, names)
        assert len(expected) == 24
        assert labels(found, split) == expected
    tree = found.taxonomy
    assert tree.level_names == (*RANKS, "species")
    assert (tree.num_leaves, len(tree.matches("Ficus")), len(tree.matches("Plantae"))) == (8, 2, 1)  # a homonym
    inner = np.flatnonzero(~tree.is_leaf)
    assert (tree.num_children[inner] == 1).sum() == 21  # none of them is left out
    assert np.bincount(tree.depth).tolist() == [1, 2, 3, 5, 5, 6, 6, 8]
    assert not found.skipped
    again = datasets.open(found.source)
    assert (again.paths, again.taxonomy) == (found.paths, found.taxonomy)


@pytest.mark.parametrize("name", ["inat-2021", "inat-2021-mini"])
def test_class_folders_without_annotations(name: str, made: Callable[[str], Path]) -> None:
    root, version = made(name), VERSIONS[name]
    by_annotations = from_inaturalist(name, root)
    for official, other in version.folders.values():
        (root / official).rename(root / other)
    by_both = from_inaturalist(name, root)
    for file in root.glob("*.json"):
        file.unlink()
    found = from_inaturalist(name, root)
    for split, (_, folder) in zip(("train", "test"), version.folders.values(), strict=True):
        theirs = INaturalist(root, folder, target_type=["full", *RANKS])
        for (_, file), (_, target) in zip(theirs.index, theirs, strict=True):
            place = theirs.category_name("full", target[0])
            ranks = [theirs.category_name(rank, number) for rank, number in zip(RANKS, target[1:], strict=True)]
            path = f"{folder}/{place}/{file}"
            species = " ".join(place.split("_")[-2:])
            assert labels(found, split)[path] == labels(by_both, split)[path] == (*ranks, species)
        assert len(theirs) == found.splits[split].size == by_both.splits[split].size == 24
    assert found.taxonomy.path_names(8) == by_annotations.taxonomy.path_names(8)
    (root / "2021_valid" / "7_Plantae").mkdir()
    with pytest.raises(InputError, match=r"class folders like 00000_Animalia.* but got '7_Plantae'"):
        from_inaturalist(name, root)


@pytest.mark.parametrize(("name", "folder"), [("inat-2018", "2018"), ("inat-2019", "2019")])
def test_folders_of_torchvision(name: str, folder: str, made: Callable[[str], Path]) -> None:
    root = made(name)
    official = f"train_val{folder}"
    expected = {
        path: names
        for split in ("train", "test")
        for path, names in labels(from_inaturalist(name, root), split).items()
    }
    (root / official).rename(root / folder)
    found = from_inaturalist(name, root)
    theirs = INaturalist(root, folder, target_type=["full", "super"])
    ids = {f"{folder}/{theirs.all_categories[number]}/{file}": number for number, file in theirs.index}
    assert ids == {
        path: int(found.taxonomy.columns["id"][node]) for path, node in zip(found.paths, found.nodes, strict=True)
    }
    assert {
        path.replace(folder, official, 1): found.taxonomy.path_names(int(node))
        for path, node in zip(found.paths, found.nodes, strict=True)
    } == expected


def test_obfuscated_names_are_told(made: Callable[[str], Path]) -> None:
    root = made("inat-2018")
    real = from_inaturalist("inat-2018", root)
    names = json.loads((root / "categories.json").read_text())
    (root / "categories.json").write_text(json.dumps(names[1:]))
    with pytest.raises(
        InputError, match=r"categories of train2018\.json, but got no category with id '0' at .*categories"
    ):
        from_inaturalist("inat-2018", root)
    (root / "categories.json").write_text("[")
    with pytest.raises(InputError, match=r"JSON, but got an error: .* at .*categories\.json"):
        from_inaturalist("inat-2018", root)
    (root / "categories.json").unlink()
    with pytest.warns(InputWarning, match=r"obfuscated names of iNaturalist 2018.* no categories\.json.*inat_comp"):
        odd = from_inaturalist("inat-2018", root)
    assert odd.taxonomy.num_nodes == real.taxonomy.num_nodes
    assert odd.taxonomy.names[1] == "Ailamina"
    for file in ("train2018.json", "val2018.json"):  # the list was put into the files, as the authors say
        document = json.loads((root / file).read_text())
        (root / file).write_text(json.dumps({**document, "categories": names}))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert from_inaturalist("inat-2018", root).taxonomy == real.taxonomy


def test_splits_of_making_better_mistakes(made: Callable[[str], Path], tmp_path: Path) -> None:
    root = made("inat-2019")
    whole = from_inaturalist("inat-2019", root)
    clone = tmp_path / "making-better-mistakes"
    (clone / "dataset_splits").mkdir(parents=True)
    lists: dict[str, list[str]] = {}
    expected: dict[str, set[str]] = {"train": set(), "val": set(), "test": set()}
    for number, path in enumerate(whole.paths):
        split = ("train", "train", "val", "test")[number % 4]
        node = int(whole.nodes[number])
        lists.setdefault(f"{split}/nat{int(whole.taxonomy.columns['id'][node]):04d}.txt", []).append(
            path.split("/")[-1]
        )
        expected[split].add(path)
    archive = clone / "dataset_splits" / "splits_inat19.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for name, images in lists.items():
            file.writestr(f"splits_inat19/{name}", "\n".join(images))
            file.writestr(f"__MACOSX/splits_inat19/{name}", "damaged")
    with zipfile.ZipFile(archive) as file:
        file.extractall(tmp_path / "unpacked", [name for name in file.namelist() if name.startswith("splits")])
    for place in (clone, archive, tmp_path / "unpacked" / "splits_inat19"):
        found = datasets.load("inat-2019", path=root, splits=place, partial=True)
        assert {split: {found.paths[i] for i in part} for split, part in found.splits.items()} == expected
        assert list(found.splits) == ["train", "val", "test"]
        assert {**labels(found, "train"), **labels(found, "val"), **labels(found, "test")} == {
            **labels(whole, "train"),
            **labels(whole, "test"),
        }
        assert datasets.open(found.source).paths == found.paths
    with pytest.raises(InputError, match=r"187,385 images of train, 40,121 images of val, 40,737 images of test"):
        datasets.load("inat-2019", path=root, splits=clone)
    with pytest.raises(InputError, match="no splits= for inat-2018"):
        from_inaturalist("inat-2018", made("inat-2018"), clone)
    with pytest.raises(InputError, match=r"the file dataset_splits/splits_inat19\.zip, but got none"):
        from_inaturalist("inat-2019", root, tmp_path)
    list_file = tmp_path / "unpacked/splits_inat19/train/nat0000.txt"
    shutil.copy(list_file, list_file.with_name("nat0001.txt"))
    with pytest.raises(InputError, match=r"lists of annotated images, but got \d+ others: 'nat0001/"):
        from_inaturalist("inat-2019", root, tmp_path / "unpacked" / "splits_inat19")


def test_published_distances_of_2019_name_the_classes(made: Callable[[str], Path], tmp_path: Path) -> None:
    tree = from_inaturalist("inat-2019", made("inat-2019")).taxonomy
    leaves = tree.leaf_nodes
    height = tree.height[tree.lca(leaves[:, None], leaves)]
    height[tree.is_leaf[tree.lca(leaves[:, None], leaves)]] = 0
    rows = [
        (f"nat{i:04d}", f"nat{j:04d}", height[tree.leaf_start[tree.find(str(i))], tree.leaf_start[tree.find(str(j))]])
        for i in range(8)
        for j in range(i)
    ]
    file = tmp_path / "inaturalist19_ilsvrc_distances.txt"
    file.write_text("".join(f"{a} {b} {d}\n" for a, b, d in [*rows, ("node_BKJDSR", "nat0000", 7)]))
    np.testing.assert_array_equal(read_distances(file, tree, normalised=False), height)


def test_missing_files_are_told(made: Callable[[str], Path]) -> None:
    root = made("inat-2021")
    first = next((root / "train").glob("*/*.jpg"))
    first.unlink()
    found = from_inaturalist("inat-2021", root)
    assert [skip.path for skip in found.skipped] == [first.relative_to(root).as_posix()]
    with pytest.raises(
        InputError, match=rf"2,686,843 images of train.*23 images of train.*{re.escape(first.name)}: no such file"
    ):
        datasets.load("inat-2021", path=root)
    shutil.rmtree(root / "val")
    with pytest.raises(
        InputError, match=r"the folder val or 2021_valid of iNaturalist 2021, but got none.*inat_comp.*2021"
    ):
        from_inaturalist("inat-2021", root)
    (root / "val.json").rename(root / "val.json.tar.gz")
    with pytest.raises(InputError, match=r"the file val\.json, but got val\.json\.tar\.gz at .*\. Unpack"):
        from_inaturalist("inat-2021", root)
    (root / "val.json.tar.gz").unlink()
    with pytest.raises(
        InputError, match=r"the file val\.json of iNaturalist 2021, but got none at .*Get it from https"
    ):
        from_inaturalist("inat-2021", root)
    (root / "train.json").unlink()
    shutil.rmtree(root / "train")
    with pytest.raises(InputError, match=r"the file train\.json of iNaturalist 2021"):
        from_inaturalist("inat-2021", root)


REFUSED: list[tuple[Callable[[dict[str, Any]], Any], str]] = [
    (lambda d: d["annotations"].pop(), r"one annotation for each image, but got none for 'val2019/"),
    (lambda d: d["annotations"].append({"image_id": d["images"][0]["id"], "category_id": 5}), r"but got several for"),
    (
        lambda d: d.update(annotations=[]),
        r"annotations with an image_id and a category_id, and categories, but got none",
    ),
    (lambda d: d["categories"][0].update(name="Another"), "the same categories in all files"),
    (lambda d: d["images"][3].pop("id"), r"missing required field `id` - at `images\[3\]` at .*val2019\.json"),
]


@pytest.mark.parametrize(("damage", "told"), REFUSED, ids=[told[:25] for _, told in REFUSED])
def test_malformed_annotations(damage: Callable[[dict[str, Any]], Any], told: str, made: Callable[[str], Path]) -> None:
    root = made("inat-2019")
    document = json.loads((root / "val2019.json").read_text().replace("train_val2019/", "val2019/"))
    damage(document)
    (root / "val2019.json").write_text(json.dumps(document))
    with pytest.raises(InputError, match=told):
        from_inaturalist("inat-2019", root)
