"""Texts of nodes: templates, columns, several texts, and the control with the texts of other nodes."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given

from cladewise import InputError, Taxonomy
from cladewise.taxonomy.class_texts import class_texts
from strategies import taxonomies

BIRDS = Taxonomy.from_parents(
    [-1, 0, 1, 1, 0],
    ["", "Wood-birds", "wood_warbler", "wren", "fern"],
    columns={"said": ["", "", "sings|hides", " small ", ""], "note": ["", "x", "y", "z", "w"]},
)


def test_every_placeholder_is_filled() -> None:
    texts = class_texts(BIRDS, "{name}: {parent}: {path}: {level}: {note}")
    assert texts.texts == (
        "Wood birds: Wood birds: Wood birds: level 1: x",
        "wood warbler: Wood birds: Wood birds, wood warbler: level 2: y",
        "wren: Wood birds: Wood birds, wren: level 2: z",
        "fern: fern: fern: level 1: w",
    )


def test_cells_of_several_texts_and_of_none() -> None:
    texts = class_texts(BIRDS, "a {name}|{name} {said}")
    assert texts.of(1) == ("a Wood birds",)  # nothing is said of it
    assert texts.of(2) == ("a wood warbler", "wood warbler sings", "wood warbler hides")
    assert texts.of(3) == ("a wren", "wren small")
    assert class_texts(BIRDS, "{said}").texts == ("Wood birds", "sings", "hides", "small", "fern")


def test_a_list_of_templates_is_one_text_with_bars() -> None:
    assert class_texts(BIRDS, ["a {name}", "the {name}"]).texts == class_texts(BIRDS, "a {name}|the {name}").texts
    assert class_texts(BIRDS, "{name}|{name}").texts == class_texts(BIRDS).texts  # the same is said once


@given(taxonomies())
def test_every_node_but_the_root_has_texts(taxonomy: Taxonomy) -> None:
    texts = class_texts(taxonomy, "a {name}|{path}")
    assert set(texts.node.tolist()) == set(range(1, taxonomy.num_nodes))
    assert (np.diff(texts.node) >= 0).all()
    assert texts.num_nodes == taxonomy.num_nodes


@given(taxonomies())
def test_shuffled_texts_are_those_of_the_level(taxonomy: Taxonomy) -> None:
    own, other = class_texts(taxonomy, "{path} at {level}"), class_texts(taxonomy, "{path} at {level}", shuffled=True)
    assert class_texts(taxonomy, "{path} at {level}", shuffled=True).texts == other.texts
    for level in range(1, taxonomy.num_levels + 1):
        nodes = np.flatnonzero(taxonomy.level == level).tolist()
        said = [other.of(node) for node in nodes]
        assert sorted(said) == sorted(own.of(node) for node in nodes)
        distinct = len({own.of(node) for node in nodes}) == len(nodes) > 1
        assert not distinct or all(other.of(node) != own.of(node) for node in nodes)


@pytest.mark.parametrize(
    ("templates", "message"),
    [
        ("a {nane}", "placeholders among {name}, {parent}, {path}, {level}, {said}, {note}, but got {nane}."),
        (" | ", "a template such as 'a photo of a {name}', but got none."),
    ],
)
def test_templates_that_say_nothing(templates: str, message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        class_texts(BIRDS, templates)
