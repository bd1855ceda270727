"""BREEDS from a hierarchy in small, and from the published draws."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from cladewise import InputError, datasets
from cladewise.datasets.published import breeds
from cladewise.datasets.published.breeds import Hierarchy, Task, from_breeds

ROOT = "n00001740"
# root > living > (bird, cat) > classes; a node of two ways counts by the longer, a class below a class is one
EDGES = [
    (ROOT, "living"), (ROOT, "rock"), ("living", "animal"), ("animal", "bird"), ("living", "bird"), ("animal", "cat"),
    ("animal", "worm"), ("rock", "n20"), ("nowhere", "nothing"),
    *(("bird", f"n0{k}") for k in range(5)), *(("cat", f"n1{k}") for k in range(3)), ("worm", "n30"),
]  # fmt: skip
LEAVES = {
    **{f"n0{k}": f"bird {k}, Avis {k}" for k in range(5)},
    "n10": "tabby",
    "n11": "tiger, big",
    "n12": "tiger, small",
    "n20": "granite",
    "n30": "earthworm",
}
TASK = Task(level=3, subclasses=2, ancestor="living", num_coarse=2)


@pytest.fixture
def hierarchy(tmp_path: Path) -> Path:
    folder = tmp_path / "hierarchy"
    folder.mkdir()
    (folder / "class_hierarchy.txt").write_text("".join(f"{parent} {child}\n" for parent, child in EDGES))
    rows = [[number, one, name] for number, (one, name) in enumerate(LEAVES.items())]
    (folder / "dataset_class_info.json").write_text(json.dumps(rows))
    (folder / "node_names.txt").write_text("bird\tbird, fowl\ncat\tcat\nworm\tworm\n")
    return folder


@pytest.fixture
def imagenet(tmp_path: Path, draw, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setitem(breeds.TASKS, "living-17", TASK)
    for one in LEAVES:
        for split, count in (("train", 3), ("val", 1)):
            for number in range(count):
                draw(f"{split}/{one}/{number}.jpg")
    return tmp_path


def test_classes_are_drawn_as_published(hierarchy: Path) -> None:
    known = Hierarchy.read(hierarchy)
    assert known.depths()["bird"] == 3  # by the longer way
    assert "nothing" not in known.depths()
    random = np.random.RandomState(2)
    birds = list(random.choice([f"n0{k}" for k in range(5)], 2, replace=False))
    cats = list(random.choice([f"n1{k}" for k in range(3)], 2, replace=False))
    assert known.candidates(TASK).draw(TASK, at="here") == {"bird": birds, "cat": cats}  # the worm has too few
    none = Task(9, 4, "living", 17)
    with pytest.raises(InputError, match=r"17 coarse classes with 4 classes of ImageNet each, but got 0 at here\. No"):
        known.candidates(none).draw(none, at="here", advice="No")


def test_training_and_validation_images_become_train_and_test(hierarchy: Path, imagenet: Path) -> None:
    found = datasets.load("living-17", path=imagenet, hierarchy=hierarchy, partial=True)
    tree = found.taxonomy
    assert tree.level_names == ("coarse", "fine")
    assert [tree.path_name(v) for v in tree.level_nodes(1)] == ["bird", "cat"]
    assert tree.num_leaves == 4
    assert {name: part.size for name, part in found.splits.items()} == {"train": 12, "test": 4}
    assert all(found.paths[i].startswith("val/") for i in found.splits["test"])
    for path, node in zip(found.paths, found.nodes.tolist(), strict=True):
        assert LEAVES[path.split("/")[1]].startswith(str(tree.names[node]).split(" n1")[0])
    assert set(found.source) == {"kind", "path", "hierarchy"}
    assert found.credit.endswith("classes drawn from the published hierarchy of BREEDS")
    again = datasets.open(found.source)
    assert again.paths == found.paths
    assert again.taxonomy == tree


def test_classes_of_one_name_are_told_apart(hierarchy: Path, imagenet: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(breeds.TASKS, "living-17", Task(3, 3, "living", 2))
    tree = from_breeds("living-17", imagenet, hierarchy).taxonomy
    assert {str(tree.names[v]) for v in tree.leaf_nodes if v > tree.find("cat")} == {"tabby", "tiger n11", "tiger n12"}


def test_what_is_missing_is_told(hierarchy: Path, imagenet: Path) -> None:
    for folder in (imagenet / "val").iterdir():
        for file in folder.iterdir():
            file.unlink()
        folder.rmdir()
    with pytest.raises(InputError, match=r"a folder of .* images, but got none at .*val"):
        from_breeds("living-17", imagenet, hierarchy)
    (hierarchy / "node_names.txt").write_text("bird\n")
    with pytest.raises(InputError, match=r"two entries per line, but got 'bird' at .*node_names\.txt:1"):
        Hierarchy.read(hierarchy)
    (hierarchy / "node_names.txt").unlink()
    with pytest.raises(InputError, match=r"the file node_names\.txt of the BREEDS hierarchy, but got none"):
        Hierarchy.read(hierarchy)
    (hierarchy / "dataset_class_info.json").write_text("[1]")
    with pytest.raises(InputError, match="the file node_names"):
        Hierarchy.read(hierarchy)
    with pytest.raises(InputError, match=r"the option path for entity-13, but got none\. Pass path="):
        datasets.load("entity-13")
    with pytest.raises(InputError, match=r"either hierarchy= or wordnet= for entity-13, but got none\. hierarchy= is"):
        datasets.load("entity-13", path=imagenet)
    with pytest.raises(InputError, match=r"either hierarchy= or wordnet= for entity-13, but got both"):
        datasets.load("entity-13", path=imagenet, hierarchy=hierarchy, wordnet=hierarchy)
    with pytest.raises(InputError, match="a task: living-17, nonliving-26"):
        from_breeds("living-18", imagenet, hierarchy)


def test_the_hierarchy_is_found_beside_the_images(hierarchy: Path, imagenet: Path) -> None:
    given = datasets.load("living-17", path=imagenet, hierarchy=hierarchy, partial=True)
    hierarchy.rename(imagenet / "BREEDS")
    found = datasets.load("living-17", path=imagenet, partial=True)
    assert found.taxonomy == given.taxonomy
    assert found.source["hierarchy"] == str(imagenet / "BREEDS")
    assert datasets.open(found.source).paths == found.paths


def test_the_published_tasks() -> None:
    sizes = {name: task.num_coarse * task.subclasses for name, task in breeds.TASKS.items()}
    assert sizes == {"living-17": 68, "nonliving-26": 104, "entity-13": 260, "entity-30": 240}
