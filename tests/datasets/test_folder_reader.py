"""Nested folders: a file's folder is its node."""

from __future__ import annotations

import os
import pickle
import sys
from pathlib import Path

import numpy as np
import pytest

from cladewise import InputError, Taxonomy
from cladewise.datasets import Dataset, from_folder


def labels(dataset: Dataset) -> dict[str, str]:
    names = [dataset.taxonomy.path_name(int(node)) for node in dataset.nodes]
    return dict(zip(dataset.paths, names, strict=True))


def test_folders_at_any_depth_are_nodes(tmp_path: Path, draw) -> None:
    for name in ("bird/wren/1.png", "bird/2.png", "moth/3.png", "bird/wren/winter/4.png"):
        draw(name)
    photos = from_folder(tmp_path)
    assert labels(photos) == {
        "bird/2.png": "bird",
        "bird/wren/1.png": "bird/wren",
        "bird/wren/winter/4.png": "bird/wren/winter",
        "moth/3.png": "moth",
    }
    assert photos.taxonomy == Taxonomy.from_paths([("bird", "wren", "winter"), ("moth",)])
    assert sum(part.size for part in photos.splits.values()) == 4
    assert pickle.loads(pickle.dumps(photos)).paths == photos.paths


def test_what_is_no_image_is_listed_with_its_reason(tmp_path: Path, draw) -> None:
    draw("a/1.png")
    draw("loose.png")
    (tmp_path / "a" / "empty.jpg").touch()
    (tmp_path / "a" / "notes.txt").write_text("found in May")
    (tmp_path / "a" / ".DS_Store").write_text("hidden files are left out")
    photos = from_folder(tmp_path)
    assert photos.paths == ("a/1.png",)
    assert {skip.path: skip.reason for skip in photos.skipped} == {
        "a/empty.jpg": "an empty file",
        "a/notes.txt": "not an image of a known format (it begins with b'found in May')",
        "loose.png": "a file in no class folder",
    }


@pytest.mark.skipif(sys.platform != "linux", reason="other file systems refuse such names")
def test_a_name_that_is_no_text_is_listed(tmp_path: Path, draw) -> None:
    image = draw("a/1.png")
    Path(os.fsdecode(os.fsencode(tmp_path / "a") + b"/\xff.png")).write_bytes(image.read_bytes())
    (skip,) = from_folder(tmp_path).skipped
    assert skip.reason == "a file name that is not UTF-8"
    skip.path.encode()


def test_links_are_followed_but_not_in_circles(tmp_path: Path, draw) -> None:
    image = draw("a/1.png")
    (tmp_path / "a" / "again").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "b").symlink_to(tmp_path / "a", target_is_directory=True)
    (tmp_path / "a" / "2.png").symlink_to(image)
    assert from_folder(tmp_path).paths == ("a/1.png", "a/2.png", "b/1.png", "b/2.png")


def test_top_folders_may_be_splits(tmp_path: Path, draw) -> None:
    for name in ("Train/a/1.png", "Train/b/2.png", "validation/a/3.png", "test/b/c/4.png"):
        draw(name)
    photos = from_folder(tmp_path)
    assert labels(photos)["test/b/c/4.png"] == "b/c"
    files = {name: [photos.paths[i] for i in part] for name, part in photos.splits.items()}
    assert files == {
        "train": ["Train/a/1.png", "Train/b/2.png"],
        "val": ["validation/a/3.png"],
        "test": ["test/b/c/4.png"],
    }


def test_a_class_may_be_called_train(tmp_path: Path, draw) -> None:
    for name in ("train/1.png", "tram/2.png"):
        draw(name)
    assert labels(from_folder(tmp_path)) == {"train/1.png": "train", "tram/2.png": "tram"}
    assert set(from_folder(tmp_path, split_folders=False).splits) == {"train", "val", "test"}


def test_splits_beside_classes_are_unclear(tmp_path: Path, draw) -> None:
    for name in ("train/a/1.png", "test/a/2.png", "masks/3.png"):
        draw(name)
    with pytest.raises(InputError) as caught:
        from_folder(tmp_path)
    assert str(caught.value) == (
        f"Expected top folders that are all splits, or all classes, but got the splits test, train beside masks at "
        f"{tmp_path}. Move the others away, or pass split_folders=False if they are all classes."
    )
    with pytest.raises(InputError, match="every top folder to be a split, but got masks"):
        from_folder(tmp_path, split_folders=True)


TREE = Taxonomy.from_paths([("fruit", "pome", "apple"), ("fruit", "pear"), ("juice", "apple"), ("juice", "mango")])


@pytest.mark.parametrize(
    ("folder", "node"),
    [
        ("pear", "fruit/pear"),
        ("fruit/pear", "fruit/pear"),
        ("fruit/apple", "fruit/pome/apple"),  # a level left out
        ("shelf 3/mango", "juice/mango"),  # a folder that names no node says nothing
        ("juice", "juice"),
        ("fruit", "fruit"),
        ("pome/apple", "fruit/pome/apple"),
    ],
)
def test_folders_find_their_node(tmp_path: Path, draw, folder: str, node: str) -> None:
    draw(f"{folder}/1.png")
    assert labels(from_folder(tmp_path, TREE)) == {f"{folder}/1.png": node}


def test_unknown_folders_are_all_listed(tmp_path: Path, draw) -> None:
    for name in ("kiwi/1.png", "juice/pear/2.png", "fruit/pear/3.png"):
        draw(name)
    with pytest.raises(InputError) as caught:
        from_folder(tmp_path, TREE)
    assert str(caught.value) == (
        "Expected folders that are named as nodes of the taxonomy, but got 2 that are not: juice/pear, kiwi at "
        f"{tmp_path}. Rename them, add them to the taxonomy, or leave the taxonomy out to use the folders as the tree."
    )


def test_a_folder_that_names_two_nodes(tmp_path: Path, draw) -> None:
    draw("apple/1.png")
    with pytest.raises(InputError) as caught:
        from_folder(tmp_path, TREE)
    assert "1 that name several, such as 'apple'" in str(caught.value)
    assert str(caught.value).endswith("Put them into folders by path: fruit/pome/apple, juice/apple.")


def test_accents_match_however_they_are_stored(tmp_path: Path, draw) -> None:
    draw("cafe\u0301/1.png")
    tree = Taxonomy.from_paths([("caf\u00e9",)])
    assert from_folder(tmp_path, tree).nodes.tolist() == [1]
    assert from_folder(tmp_path).taxonomy == tree


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ([], "Expected a data set with images, but got no file at {}."),
        (["a/x.txt"], "got 1 files, none of them usable at {}. The first, a/x.txt, is an empty file."),
    ],
)
def test_nothing_to_read(tmp_path: Path, files: list[str], message: str) -> None:
    for name in files:
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).touch()
    with pytest.raises(InputError) as caught:
        from_folder(tmp_path)
    assert message.format(tmp_path) in str(caught.value)


def test_no_folder(tmp_path: Path, draw) -> None:
    with pytest.raises(InputError, match=r"Expected a folder of images, but got no such folder at .*gone"):
        from_folder(tmp_path / "gone")
    with pytest.raises(InputError, match="but got a file"):
        from_folder(draw("a.png"))


def test_the_order_on_disk_does_not_matter(tmp_path: Path, draw) -> None:
    for number in range(30):
        draw(f"first/{'ab'[number % 2]}/{number}.png")
    for number in reversed(range(30)):
        draw(f"second/{'ab'[number % 2]}/{number}.png")
    first, second = from_folder(tmp_path / "first", seed=5), from_folder(tmp_path / "second", seed=5)
    assert first.paths == second.paths
    for name in first.splits:
        np.testing.assert_array_equal(first.splits[name], second.splits[name])
