"""Forms of labels: there and back, over random trees."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cladewise import Taxonomy
from cladewise.errors import InputError, InputWarning
from cladewise.estimators import read_labels
from strategies import HOSTILE, taxonomies

FRUIT = Taxonomy.from_paths([("fruit", "apple"), ("fruit", "pear"), ("juice", "apple"), ("tool",)])


@st.composite
def paths(draw: st.DrawFn) -> list[tuple[str, ...]]:
    """Labels at any node of a ragged tree whose names repeat and are hostile."""
    names = st.sampled_from([name for name in HOSTILE if name.strip()])
    return draw(st.lists(st.lists(names, min_size=1, max_size=4).map(tuple), min_size=1, max_size=12))


def padded(labels: list[tuple[str, ...]], blank: object = "") -> np.ndarray:
    width = max(2, *map(len, labels))
    return np.array([[*label, *[blank] * (width - len(label))] for label in labels], dtype=object)


@given(paths())
def test_paths_come_back_without_a_hierarchy(labels: list[tuple[str, ...]]) -> None:
    form, nodes = read_labels(labels, None)
    assert [form.taxonomy.path_names(node) for node in nodes] == labels
    assert form.labels(nodes).tolist() == labels
    assert form.find(labels).tolist() == nodes.tolist()
    again, same = read_labels(labels[::-1], None)
    assert again.taxonomy == form.taxonomy  # whatever the order of the images
    assert same.tolist() == nodes.tolist()[::-1]


@given(paths(), st.sampled_from(["", None, float("nan")]))
def test_padded_rows_come_back_and_blanks_are_one(labels: list[tuple[str, ...]], blank: object) -> None:
    form, nodes = read_labels(padded(labels, blank), None)
    found = form.labels(nodes)
    assert [tuple(cell for cell in row if cell != "") for row in found.tolist()] == labels
    assert found.shape[1] == max(2, form.taxonomy.num_levels)
    direct, same = read_labels(labels, None)
    assert direct.taxonomy == form.taxonomy
    assert same.tolist() == nodes.tolist()


@given(taxonomies(min_nodes=2), st.data())
def test_every_form_means_the_same_nodes_of_a_hierarchy(tree: Taxonomy, data: st.DataObject) -> None:
    nodes = data.draw(st.lists(st.integers(1, tree.num_nodes - 1), min_size=1, max_size=8))
    whole = [tree.path_names(node) for node in nodes]
    forms = [
        [str(tree.names[node]) for node in nodes],
        [tree.path_name(node) for node in nodes],
        whole,
        [list(path) for path in whole],
        padded(whole),
    ]
    for labels in forms:
        form, found = read_labels(labels, tree)
        assert found.tolist() == nodes
        assert form.find(form.labels(found)).tolist() == nodes
        everything = np.arange(tree.num_nodes)
        known = everything[1:] if form.kind == "names" else everything
        assert form.find(form.labels(known)).tolist() == known.tolist()  # also those that were not given


def test_a_level_that_a_label_skips_stays_blank() -> None:
    labels = np.array([["a", "", "c"], ["a", "b", ""]])
    form, nodes = read_labels(labels, None)
    assert form.labels(nodes).tolist() == labels.tolist()
    assert form.taxonomy.level[nodes].tolist() == [3, 2]


def test_names_keep_their_type_and_order() -> None:
    for labels in (np.array([3, 1, 3]), np.array(["b", "a", "b"]), np.array([True, False, True])):
        form, nodes = read_labels(labels, None)
        assert form.labels(nodes).dtype == labels.dtype
        assert form.labels(nodes).tolist() == labels.tolist()
    numbers = np.array([[1, 11], [2, 21]])
    form, nodes = read_labels(numbers, None)
    assert form.labels(nodes).tolist() == numbers.tolist()
    assert form.classes(nodes).tolist() == [(1, 11), (2, 21)]


def test_answers_follow_the_style_of_the_labels() -> None:
    nodes = np.arange(FRUIT.num_nodes)
    by_path, _ = read_labels(["fruit/apple", "tool"], FRUIT)
    by_name, _ = read_labels(["pear", "tool"], FRUIT)
    assert by_path.labels(nodes).tolist() == [
        "root",
        "fruit",
        "fruit/apple",
        "fruit/pear",
        "juice",
        "juice/apple",
        "tool",
    ]
    assert by_name.labels(nodes).tolist() == ["root", "fruit", "fruit/apple", "pear", "juice", "juice/apple", "tool"]
    ids = FRUIT.with_columns({"id": [f"i{node}" for node in nodes]})
    by_id, found = read_labels(["i2", "i6"], ids)
    assert found.tolist() == [2, 6]
    assert by_id.labels(found).tolist() == ["i2", "i6"]


def test_separators() -> None:
    form, nodes = read_labels(["a>b", "a>c", "d"], None, separator=">")
    assert form.labels(nodes).tolist() == ["a>b", "a>c", "d"]
    assert form.labels(np.array([1])).tolist() == ["a"]
    slashes, nodes = read_labels([r"a/b\/c", "d"], None, separator="/")
    assert slashes.taxonomy.path_names(int(nodes[0])) == ("a", "b/c")
    with pytest.warns(InputWarning, match='separator="/"'):
        flat, _ = read_labels(["a/b", "a/c"], None)
    assert flat.taxonomy.num_leaves == 2
    with pytest.warns(InputWarning, match='separator="/"'):  # one label is at an internal node
        read_labels(["a", "a/b", "a/c"], None)
    with pytest.warns(InputWarning, match="no label contains the separator '>'.*separator=\"/\""):
        read_labels(["a/b", "a/c"], None, separator=">")


@pytest.mark.parametrize("kind", ["string", "string[pyarrow]", "category", "object"])
def test_blanks_of_every_type_of_pandas(kind: str) -> None:
    frame = pd.DataFrame({"family": ["felidae", "canidae"], "species": ["lynx", None]}).astype(kind)
    form, nodes = read_labels(frame, None)
    assert form.labels(nodes).tolist() == [["felidae", "lynx"], ["canidae", ""]]
    numbers = pd.DataFrame({"a": [1, 1], "b": [2, None]}).astype("Int64")
    form, nodes = read_labels(numbers, None)
    assert form.labels(nodes).tolist() == [[1, 2], [1, ""]]


def test_tables_name_the_levels() -> None:
    rows = {"family": ["felidae", "canidae"], "species": ["lynx", None]}
    for frame in (pd.DataFrame(rows), pl.DataFrame(rows)):
        form, nodes = read_labels(frame, None)
        assert form.taxonomy.level_names == ("family", "species")
        assert form.taxonomy.depth[nodes].tolist() == [2, 1]


def test_an_unknown_label_is_no_node_of_an_open_tree() -> None:
    form, _ = read_labels(["a", "b"], None)
    assert form.find(["a", "z"]).tolist() == [1, -1]
    closed, _ = read_labels(["pear"], FRUIT)
    assert closed.find(["tool", "juice"]).tolist() == [6, 4]
    with pytest.raises(InputError, match="plum"):
        closed.find(["plum"])


@pytest.mark.parametrize(
    ("labels", "tree", "told"),
    [
        (["apple"], FRUIT, "matches 2 nodes|fruit/apple"),
        (["plum"], FRUIT, "plum"),
        ([3], FRUIT, "Numbers are looked up as names"),
        (np.zeros((2, 2, 2), dtype=int), None, "one or two dimensions"),
        (np.array([[1.0, 2.0]]), None, "names or whole numbers.*Int64"),
        (["", "a"], None, "a name for each label"),
        ([("a", "b"), "c"], None, "a tuple or list of names"),
        (np.array([[1, "1"], ["1", "2"]], dtype=object), None, "differ as texts"),
        ([0.5, 1.5], None, "Unknown label type"),
    ],
)
def test_what_is_no_label_is_refused(labels: object, tree: Taxonomy | None, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        read_labels(labels, tree)


def test_another_form_than_in_fit_is_refused() -> None:
    form, _ = read_labels([("a", "b"), ("a", "c")], None)
    with pytest.raises(InputError, match="labels as paths, as in fit"):
        form.find(["a", "b"])
