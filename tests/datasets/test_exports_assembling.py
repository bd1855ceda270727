"""One node per image from the labels of an export."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from cladewise import Taxonomy
from cladewise.datasets.exports.labelled import Labelled, most_specific, one_node_each
from cladewise.datasets.exports.opening import assemble
from cladewise.errors import InputError, InputWarning

TREE = Taxonomy.from_paths([("bird", "wren"), ("bird", "robin"), ("moth",)])
BIRD, WREN, ROBIN, MOTH = 1, 2, 3, 4


def trees() -> st.SearchStrategy[Taxonomy]:
    """Trees of up to 12 nodes below a synthetic root."""
    parents = st.lists(st.integers(0, 10), min_size=1, max_size=11)
    return parents.map(
        lambda chosen: Taxonomy.from_parents(
            [-1, *(min(parent, node) for node, parent in enumerate(chosen))],
            ["", *(f"n{node}" for node in range(len(chosen)))],
            synthetic_root=True,
        )
    )


@settings(max_examples=100, deadline=None)
@given(trees(), st.data())
def test_the_labels_that_are_left_are_those_without_another_below_them(tree, data):
    node = st.integers(0, tree.num_nodes - 1)
    pairs = data.draw(st.lists(st.tuples(st.integers(0, 3), node), max_size=20))
    image, nodes = (np.array([pair[k] for pair in pairs], dtype=np.int64) for k in (0, 1))
    left = set(zip(*(part.tolist() for part in most_specific(tree, image, nodes)), strict=True))
    slow = {(i, v) for i, v in pairs if not any(j == i and u != v and v in tree.path(u) for j, u in pairs)}
    assert left == slow
    chosen, reasons = one_node_each(tree, 4, image, nodes, several="common")
    for i in range(4):
        mine = [set(tree.path(v)) for j, v in left if j == i]
        common = max(set.intersection(*mine)) if mine else 0
        if len(mine) == 1:
            assert chosen[i] == common
        else:
            assert chosen[i] == (common or -1)
            assert (i in reasons) == (common == 0)


def images_in(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8)).save(folder / name)


def export(folder, paths, pairs, splits=()):
    labels = [TREE.path_names(node) for node in range(1, len(TREE))]
    image, label = np.array([p[0] for p in pairs]), np.array([p[1] - 1 for p in pairs])
    return Labelled(folder, paths, labels, image, label, splits=splits)


def assembled(found, **options):
    return assemble(found, TREE, range(1, len(TREE)), name="photos", source={"path": "photos.json"}, **options)


def test_images_without_one_label_are_listed_with_the_reason(tmp_path):
    images_in(tmp_path, "a.png", "b.png", "c.png", "d.png")
    pairs = [(0, BIRD), (0, WREN), (1, WREN), (1, ROBIN), (2, MOTH), (4, MOTH)]
    found = export(tmp_path, ["a.png", "b.png", "c.png", "d.png", "gone.png"], pairs)
    with pytest.warns(InputWarning, match=r"1 image with several labels, left out of 5, such as b.png \(2 labels"):
        photos = assembled(found)
    assert dict(zip(photos.paths, photos.nodes.tolist(), strict=True)) == {"a.png": WREN, "c.png": MOTH}
    assert {skip.path: skip.reason for skip in photos.skipped} == {
        "b.png": "2 labels: bird/wren, bird/robin",
        "d.png": "no label",
        "gone.png": "no such file",
    }
    common = assembled(found, several="common")
    assert dict(zip(common.paths, common.nodes.tolist(), strict=True))["b.png"] == BIRD


def test_splits_keep_their_meaning(tmp_path):
    images_in(tmp_path, "a.png", "b.png", "c.png")
    pairs = [(0, WREN), (1, ROBIN), (2, MOTH)]
    found = export(tmp_path, ["a.png", "b.png", "c.png"], pairs, splits=["TRAIN", "validation", "night"])
    photos = assembled(found)
    assert {name: part.tolist() for name, part in photos.splits.items()} == {"train": [0], "val": [1], "night": [2]}
    with pytest.raises(InputError, match="1 image without"):
        assembled(export(tmp_path, ["a.png", "b.png", "c.png"], pairs, splits=["train", "val", ""]))
    with pytest.warns(InputWarning, match="a single split, 'default', which is split anew"):
        anew = assembled(export(tmp_path, ["a.png", "b.png", "c.png"], pairs, splits=["default"] * 3))
    assert set(anew.splits) == {"train", "val", "test"}


def test_a_file_with_two_labels_under_two_paths_is_refused(tmp_path):
    images_in(tmp_path, "a.png")
    with pytest.raises(InputError, match=r"'a.png' and './a.png' in images 1 and 2 at photos.json, image 2"):
        assembled(export(tmp_path, ["a.png", "./a.png"], [(0, WREN), (1, MOTH)]))
