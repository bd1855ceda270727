"""The node of every class, whatever a library keeps its classes in."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from PIL import Image
from torch.utils.data import Subset

from cladewise import Taxonomy
from cladewise.errors import InputError
from cladewise.loops import class_nodes

TREE = Taxonomy.from_paths([("bird", "wren 10"), ("bird", "Robin"), ("bird", "wren 9"), ("moth",)])
NAMES = ("wren 10", "wren 9", "Robin", "moth")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in NAMES:
        (tmp_path / name).mkdir()
        Image.new("RGB", (8, 8)).save(tmp_path / name / "a.png")
    return tmp_path


@pytest.mark.parametrize(
    "classes",
    [
        list(NAMES),
        tuple(NAMES),
        {name: i for i, name in enumerate(NAMES)},
        dict(reversed([(name, i) for i, name in enumerate(NAMES)])),
        dict(enumerate(NAMES)),
        {str(i): name for i, name in enumerate(NAMES)},
        SimpleNamespace(names=list(NAMES)),
        SimpleNamespace(reader=SimpleNamespace(class_to_idx={name: i for i, name in enumerate(NAMES)})),
    ],
    ids=["list", "tuple", "class_to_idx", "in another order", "id2label", "of JSON", "ClassLabel", "reader"],
)
def test_every_form_gives_the_nodes_by_index(classes) -> None:
    assert class_nodes(classes, TREE).tolist() == [TREE.find(name) for name in NAMES]


def test_numbers_as_names_are_names() -> None:
    tree = Taxonomy.from_paths([("a", "1"), ("a", "0")])
    assert class_nodes({"0": 1, "1": 0}, tree).tolist() == [tree.find("1"), tree.find("0")]


def test_datasets_of_torchvision_and_timm_number_one_folder_differently(folder: Path) -> None:
    from timm.data import create_dataset
    from torchvision.datasets import ImageFolder

    theirs = ImageFolder(folder)
    of_timm = create_dataset("", root=str(folder))
    orders = [theirs.classes, sorted(of_timm.reader.class_to_idx, key=of_timm.reader.class_to_idx.get)]
    assert orders[0] != orders[1]
    for dataset, names in zip((theirs, of_timm), orders, strict=True):
        nodes = class_nodes(dataset, TREE)
        assert nodes.tolist() == [TREE.find(name) for name in names]
        assert class_nodes(Subset(dataset, [0]), TREE).tolist() == nodes.tolist()
        for i in range(4):
            path = Path(theirs.samples[i][0] if dataset is theirs else of_timm.filename(i, absolute=True))
            assert TREE.names[nodes[dataset[i][1]]] == path.parent.name


@pytest.mark.parametrize(
    ("classes", "text"),
    [
        (["Robin", "robin"], "robin"),
        (["Robin", "bird/Robin"], "a node for each class, but got bird/Robin for 'Robin' and 'bird/Robin' at classes"),
        ({"Robin": 0, "moth": 2}, r"the class indices 0 to 1, each once, but got \[0, 2\]"),
        ({"Robin": "first"}, "a mapping between class names and indices"),
        ("moth", "names in the order of their index, class_to_idx, id2label, or a dataset with classes, but got str"),
        (7, "but got int"),
        ([], "at least one class, but got none"),
    ],
)
def test_mistakes_in_classes_are_named(classes, text: str) -> None:
    with pytest.raises(InputError, match=text):
        class_nodes(classes, TREE)
