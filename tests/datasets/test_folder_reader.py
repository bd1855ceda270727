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
from cladewise.errors import InputWarning


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
    (tmp_path / "a" / "page.jpg").write_text("found in May")
    (tmp_path / "a" / "README").write_text("found in May")
    (tmp_path / "notes.txt").write_text("found in May")
    (tmp_path / "a" / "box.XML").write_text("<box/>")
    (tmp_path / "a" / "Thumbs.db").touch()
    (tmp_path / "labels.csv").write_text("path,label")
    (tmp_path / "a" / "found.xml").write_text("<box/>")
    (tmp_path / "a" / ".DS_Store").write_text("hidden files are left out")
    photos = from_folder(tmp_path)
    assert photos.paths == ("a/1.png",)
    assert {skip.path: skip.reason for skip in photos.skipped} == {
        "a/empty.jpg": "an empty file",
        "a/page.jpg": "not an image of a known format (it begins with b'found in May')",
        "loose.png": "a file outside the class folders",
    }
    assert photos.notes == ("6 files that are no images: 2 .xml, 1 .csv, 1 .db, 1 .txt, 1 README",)


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
        f"Expected top folders that are all splits, or all classes, but got the splits test, train next to masks at "
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
        "Expected folders that are named as nodes of the taxonomy, but got 2 that are not: 'juice/pear' (nearest: "
        f"'pear'), 'kiwi' at {tmp_path}. Rename them, add them to the taxonomy, or leave the taxonomy out to use the "
        "folders as the tree."
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
        ([], "Expected a dataset with images, but got no file at {}."),
        (["a/x.jpg"], "got 1 file, none of them usable at {}. The first: a/x.jpg (an empty file)."),
        (["a/x.txt"], "got 1 file that is no image: 1 .txt at {}."),
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


def test_a_name_without_a_suffix_may_be_an_image(tmp_path: Path, draw) -> None:
    draw("a/1.png").rename(tmp_path / "a" / "0001")
    draw("a/2.png").rename(tmp_path / "a" / "photo.txt")  # the content decides
    assert from_folder(tmp_path).paths == ("a/0001", "a/photo.txt")


@pytest.mark.parametrize(
    ("tops", "splits"),
    [
        (("train", "dev"), ("train", "val")),
        (("Training", "Development", "Testing"), ("train", "val", "test")),
        (("train", "eval"), ("train", "eval")),
        (("train", "unlabelled"), ("train", "unlabeled")),
        (("train", "test", "extra"), ("train", "test", "extra")),
        (("train2017", "val2017"), ("train", "val")),
        (("train_set", "test_set"), ("train", "test")),
        (("train-images", "val-images"), ("train", "val")),
        (("images_train", "images_valid"), ("train", "val")),
        (("train", "hold-out"), ("train", "holdout")),
    ],
)
def test_splits_of_any_common_name(tmp_path: Path, draw, tops: tuple[str, ...], splits: tuple[str, ...]) -> None:
    for top in tops:
        draw(f"{top}/wren/1.png")
    photos = from_folder(tmp_path)
    assert set(labels(photos).values()) == {"wren"}
    assert tuple(photos.splits) == splits
    own = [name for name in splits if name not in ("train", "val", "test")]
    assert photos.notes == tuple(f"1 image in the split {name}" for name in own)


def test_two_folders_of_one_split_are_joined_and_told(tmp_path: Path, draw) -> None:
    for top in ("train_1", "train_2", "val"):
        draw(f"{top}/wren/1.png")
    with pytest.warns(InputWarning, match="the split train is made of several: train_1, train_2"):
        photos = from_folder(tmp_path)
    assert {name: part.size for name, part in photos.splits.items()} == {"train": 2, "val": 1}


@pytest.mark.parametrize(
    ("files", "got"),
    [
        (
            ["eval/wren/1.png", "dev/wren/1.png"],
            "but got 'dev', 'eval', which are split names, but none is for training",
        ),
        (["test/wren/1.png"], "but got 'test', which are split names, but none is for training"),
        (["fold_0/wren/1.png", "fold_1/wren/1.png"], "but got 'fold_0', 'fold_1', which are split names"),
        (["dev/wren/1.png", "eval/wren/2.png", "masks/3.png"], "the splits dev, eval next to masks"),
        (["one/wren/1.png", "two/wren/1.png"], "but got 'one', 'two', which all contain 'wren' at"),
        (
            ["2019/wren/1.png", "2019/robin/1.png", "2020/wren/1.png", "2020/robin/1.png", "2020/tit/1.png"],
            "but got '2019', '2020', which all contain 'robin', 'wren' at",
        ),
        (["images/train/wren/1.png", "images/test/wren/2.png"], "splits above the classes, but got 'test', 'train' in"),
        (["wren/train/1.png", "wren/val/2.png", "tit/train/3.png"], "above the classes, but got 'train', 'val' inside"),
    ],
)
def test_folders_that_could_be_splits_or_classes_are_refused(tmp_path: Path, draw, files: list[str], got: str) -> None:
    for name in files:
        draw(name)
    with pytest.raises(InputError) as caught:
        from_folder(tmp_path)
    assert got in str(caught.value)
    assert "split_folders=False" in str(caught.value)
    folders = {name.rpartition("/")[0] for name in files}
    photos = from_folder(tmp_path, split_folders=False)
    assert set(labels(photos).values()) == folders


def test_folders_inside_themselves_are_refused(tmp_path: Path, draw) -> None:
    for name in ("seg_train/seg_train/wren/1.png", "seg_test/seg_test/wren/2.png"):
        draw(name)
    with pytest.raises(
        InputError, match=r"'seg_test/seg_test', 'seg_train/seg_train', with nothing else in the outer folder"
    ):
        from_folder(tmp_path)
    assert from_folder(tmp_path, split_folders=False).taxonomy.num_leaves == 2


def test_splits_of_any_name_when_said_so(tmp_path: Path, draw) -> None:
    for name in ("one/wren/1.png", "one/tit/2.png", "two/wren/3.png"):
        draw(name)
    photos = from_folder(tmp_path, split_folders=True)
    assert {name: part.tolist() for name, part in photos.splits.items()} == {"one": [0, 1], "two": [2]}
    assert set(labels(photos).values()) == {"wren", "tit"}


def test_top_folders_that_name_nodes_are_classes(tmp_path: Path, draw) -> None:
    tree = Taxonomy.from_paths([(fruit, state) for fruit in ("apple", "pear") for state in ("fresh", "rotten")])
    for fruit in ("apple", "pear"):
        for state in ("fresh", "rotten"):
            draw(f"{fruit}/{state}/1.png")
    assert set(labels(from_folder(tmp_path, tree)).values()) == {
        "apple/fresh",
        "apple/rotten",
        "pear/fresh",
        "pear/rotten",
    }


def test_a_wrapper_above_all_classes_is_told(tmp_path: Path, draw) -> None:
    for name in ("images/wren/1.png", "images/tit/2.png"):
        draw(name)
    with pytest.warns(InputWarning, match="folders called 'images' read as classes: 'images' at .* to leave it out"):
        assert from_folder(tmp_path).taxonomy.names.tolist() == ["", "images", "tit", "wren"]


def test_folders_that_only_hold_images_are_told(tmp_path: Path, draw) -> None:
    for name in ("train/n1/images/1.png", "train/n2/images/2.png", "val/images/3.png"):
        draw(name)
    with pytest.warns(InputWarning, match="folders called 'images' read as classes: 'images', 'n1/images',"):
        from_folder(tmp_path)


def test_a_split_without_class_folders_is_told(tmp_path: Path, draw) -> None:
    for name in ("train/wren/1.png", "unlabeled/2.png", "unlabeled/3.png"):
        draw(name)
    with pytest.warns(InputWarning, match="the split folder 'unlabeled' left out: 2 images, none in a class folder"):
        assert len(from_folder(tmp_path).skipped) == 2


def test_split_folders_is_a_truth_value(tmp_path: Path, draw) -> None:
    draw("train/wren/1.png")
    with pytest.raises(InputError, match="split_folders to be True, False or None, but got 'false'"):
        from_folder(tmp_path, split_folders="false")  # pyright: ignore[reportArgumentType]


def test_folders_of_operating_systems_are_left_out(tmp_path: Path, draw) -> None:
    for name in ("wren/1.png", "__MACOSX/wren/1.png", "wren/@eaDir/2.png"):
        draw(name)
    assert from_folder(tmp_path).paths == ("wren/1.png",)


def test_one_folder_of_a_splits_name_is_a_class_and_told(tmp_path: Path, draw) -> None:
    for name in ("train/steam/1.png", "tram/old/2.png"):
        draw(name)
    with pytest.warns(InputWarning, match="the top folder 'train' read as a class, like 'tram' next to it"):
        assert from_folder(tmp_path).taxonomy.num_leaves == 2


def test_folders_without_images_are_told(tmp_path: Path, draw) -> None:
    draw("train/wren/1.png")
    draw("test/tit/2.png")
    for name in ("train/tit", "train/robin", "test/owl/young", "test/wren/notes"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "train/robin/1.png").write_text("no image")
    with pytest.warns(InputWarning) as caught:
        photos = from_folder(tmp_path)
    assert [str(warning.message) for warning in caught] == [
        "3 folders without a usable image, so no class: 'owl', 'wren/notes', 'robin' at " + f"{tmp_path}."
    ]
    assert [skip.path for skip in photos.skipped] == ["train/robin/1.png"]
    tree = Taxonomy.from_paths([("wren",), ("tit",), ("robin",), ("owl",)])
    with pytest.warns(InputWarning, match="3 folders without a usable image: 'owl', 'wren/notes', 'robin' at"):
        from_folder(tmp_path, tree)  # of which robin and owl are classes


@pytest.mark.skipif(sys.platform != "linux", reason="other file systems refuse such pairs")
@pytest.mark.parametrize(
    ("first", "second", "told"),
    [
        ("wren", "Wren", "'wren' next to 'Wren' at"),
        ("wren", "wren ", "'wren ' next to 'wren' at"),
        ("wren", "wren\u200b", "an invisible character in 'wren\\u200b' at"),
        ("wren", "tit\u00a0", "stray white space in 'tit\\xa0' at"),
        (
            "caf\u00e9",
            "cafe\u0301",
            "2 folders that differ only in how accents are stored, each pair read as",
        ),
    ],
)
def test_folders_that_look_alike_are_told(tmp_path: Path, draw, first: str, second: str, told: str) -> None:
    draw(f"{first}/1.png")
    draw(f"{second}/1.png")
    with pytest.warns(InputWarning) as caught:
        from_folder(tmp_path)
    assert any(told in str(warning.message) for warning in caught)


def test_folders_may_be_ids(tmp_path: Path, draw) -> None:
    tree = Taxonomy([-1, 0, 1, 0], ["", "bird", "wren", "moth"], columns={"id": ["", "n1", "n2", "n3"]})
    for name in ("n2/1.png", "n1/n2/2.png", "bird/n2/3.png", "n3/4.png"):
        draw(name)
    assert labels(from_folder(tmp_path, tree)) == {
        "n2/1.png": "bird/wren",
        "n1/n2/2.png": "bird/wren",
        "bird/n2/3.png": "bird/wren",
        "n3/4.png": "moth",
    }


def test_folders_that_differ_from_the_tree_in_one_way(tmp_path: Path, draw) -> None:
    for name in ("granny_smith/1.png", "pink_lady/2.png"):
        draw(name)
    with pytest.raises(InputError) as caught:
        from_folder(tmp_path, Taxonomy.from_paths([("Granny Smith",), ("Pink Lady",)]))
    assert "got 2 that are not: 'granny_smith' (nearest: 'Granny Smith'), 'pink_lady' (nearest" in str(caught.value)
    assert "2 differ from names only in case, blanks, hyphens, underscores or dots." in str(caught.value)
    with pytest.raises(InputError, match="2 are numbers, which are neither names nor ids in the taxonomy"):
        Taxonomy.from_paths([("wren",), ("owl",)]).find(["001", "002"])


def test_a_folder_that_only_looks_like_a_node_is_told(tmp_path: Path, draw) -> None:
    draw("pear\u200b/1.png")
    with pytest.warns(InputWarning, match="1 label matched only approximately: .* read as 'pear', which only looks"):
        assert from_folder(tmp_path, Taxonomy.from_paths([("pear",)])).nodes.tolist() == [1]
