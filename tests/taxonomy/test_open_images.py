"""Open Images' hierarchy: kinds with several parents, parts apart, and names from a table beside it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import networkx as nx
import pytest

from cladewise.errors import InputError, InputWarning
from cladewise.taxonomy import read

NAMES = {
    "/m/02wbm": "Food",
    "/m/02xwb": "Fruit",
    "/m/0f4s2w": "Vegetable",
    "/m/07j87": "Tomato",
    "/m/01g317": "Person",
    "/m/0dzct": "Human face",
    "/m/014sv8": "Human eye",
    "/m/04hgtk": "Human head, hair and all",
}
MID = {name: mid for mid, name in NAMES.items()}


def node(name: str, kinds: list[Any] = [], parts: list[Any] = []) -> dict[str, Any]:  # noqa: B006
    found: dict[str, Any] = {"LabelName": MID.get(name, name)}
    return found | ({"Subcategory": kinds} if kinds else {}) | ({"Part": parts} if parts else {})


TREE = node(
    "/m/0bl9f",
    [
        node("Food", [node("Fruit", [node("Tomato")]), node("Vegetable", [node("Tomato")])]),
        node("Person", parts=[node("Human face", parts=[node("Human eye")]), node("Human head, hair and all")]),
        node("Human head, hair and all"),
    ],
)


def put(folder: Path, tree: Any = TREE, *, header: bool = False, table: str = "class-descriptions-boxable.csv") -> Path:
    rows = [f'{mid},"{name}"' if "," in name else f"{mid},{name}" for mid, name in NAMES.items()]
    (folder / table).write_text("\n".join(["LabelName,DisplayName"] * header + rows) + "\n")
    path = folder / "bbox_labels_600_hierarchy.json"
    path.write_text(json.dumps(tree))
    return path


@pytest.mark.parametrize("table", ["class-descriptions-boxable.csv", "oidv7-class-descriptions-boxable.csv"])
def test_classes_have_all_their_parents_and_parts_are_apart(tmp_path: Path, table: str) -> None:
    tree = read(put(tmp_path, header=table[0] == "o", table=table), parents="all")
    ids = tree.columns["id"].tolist()
    pairs = [(int(tree.parents[v]), v) for v in range(1, tree.num_nodes)]
    pairs += [(above, v) for v, above in tree.further_parents.tolist()]
    expected = nx.DiGraph()

    def kinds(above: dict[str, Any]) -> None:
        for below in above.get("Subcategory", []):
            expected.add_edge(above["LabelName"], below["LabelName"])
            kinds(below)

    kinds(TREE)
    loose = [("/m/0bl9f", MID["Human face"]), ("/m/0bl9f", MID["Human eye"])]
    assert sorted((ids[a], ids[b]) for a, b in pairs) == sorted([*expected.edges, *loose])
    assert {str(tree.names[v]) for v in range(tree.num_nodes)} == {"Entity", *NAMES.values()}
    parts = dict(zip(tree.names.tolist(), tree.columns["part_of"].tolist(), strict=True))
    assert {name: whole for name, whole in parts.items() if whole} == {
        "Human face": MID["Person"],
        "Human head, hair and all": MID["Person"],
        "Human eye": MID["Human face"],
    }
    assert tree.path_name(tree.find("Human eye")) == "Entity/Human eye"


def test_several_parents_are_refused_until_it_is_said_which_to_keep(tmp_path: Path) -> None:
    path = put(tmp_path)
    with pytest.raises(InputError, match=r"one parent for each node.*parents=.all.") as error:
        read(path)
    assert str(path) in error.value.at
    trees = [read(path, parents=which) for which in ("first", "last")]
    found = [tree.path_name(tree.find("Tomato")) for tree in trees]
    assert found == ["Entity/Food/Fruit/Tomato", "Entity/Food/Vegetable/Tomato"]


def test_without_descriptions_names_are_machine_ids(tmp_path: Path) -> None:
    path = put(tmp_path, node("/m/0bl9f", [node("Food")]))
    (tmp_path / "class-descriptions-boxable.csv").unlink()
    with pytest.warns(InputWarning, match=r"1 of 2 classes have no name but their MID.*class-descriptions-boxable"):
        tree = read(path)
    assert tree.names.tolist() == ["Entity", MID["Food"]]


def test_what_is_no_class_is_refused(tmp_path: Path) -> None:
    for tree, told in ((node("a", ["b"]), "/Subcategory/0"), (node("a", parts=[{"x": 1}]), "/Part/0")):
        with pytest.raises(InputError, match=f"a class with a LabelName, but got .* in {told}"):
            read(put(tmp_path, tree))
