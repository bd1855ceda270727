"""Texts of nodes: templates, columns, several texts, and the control with the texts of other nodes."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cladewise import InputError, Taxonomy
from cladewise.taxonomy.class_texts import TemplatedTexts, class_texts
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


BEARS = Taxonomy(
    [-1, 0, 1, 2, 3, 3, 5, 0, 7],
    ["", "Animalia", "Ursinae", "Ursus", "Ursus arctos", "Ursus_thibetanus", "Ursus thibetanus x-y", "Plantae", "Rosa"],
    level=[0, 1, 2, 3, 4, 4, 5, 1, 3],
    level_names=["kingdom", "subfamily", "genus", "species", "subspecies"],
    columns={"name:en": ["", "", "", "bear", "brown bear|grizzly", "", "", "plants", ""]},
)


def test_taxonomic_texts_are_bioclips() -> None:
    texts = TemplatedTexts(BEARS, "{taxonomic}")
    assert [texts.of(node) for node in range(1, BEARS.num_nodes)] == [
        ["Animalia"],
        ["Animalia Ursinae"],  # the node's own name is said at any level
        ["Animalia Ursus"],
        ["Animalia Ursus arctos"],
        ["Animalia Ursus thibetanus"],
        ["Animalia Ursus thibetanus x-y"],
        ["Plantae"],
        ["Plantae Rosa"],
    ]
    names = ["", "Animalia", "Pyrobombus", "Pyrobombus impatiens"]  # what the subgenus says is not said before
    levels = {"level": [0, 1, 2, 3], "level_names": ["kingdom", "subgenus", "species"]}
    assert TemplatedTexts(Taxonomy([-1, 0, 1, 2], names, **levels), "{taxonomic}").of(3) == [
        "Animalia Pyrobombus impatiens"
    ]
    unranked = Taxonomy.from_paths([("life", "Animalia", "Ursinae", "Ursus", "Ursus arctos")])
    assert TemplatedTexts(unranked, "{taxonomic}").of(5) == ["life Animalia Ursinae Ursus arctos"]


def test_parts_in_brackets_and_names_in_a_language() -> None:
    texts = TemplatedTexts(BEARS, "a {taxonomic}[ with common name {name:en}].")
    assert texts.of(4) == ["a Animalia Ursus arctos with common name brown bear."]  # the preferred one of two
    assert texts.of(5) == ["a Animalia Ursus thibetanus."]
    assert TemplatedTexts(BEARS, "{name:en}").of(5) == ["Ursus thibetanus"]  # a node without any text gets its name
    assert TemplatedTexts(BEARS, "{name:en-GB} [sic]").of(3) == ["bear [sic]"]  # brackets without a placeholder stay
    with pytest.raises(InputError, match=re.escape("but got {name:fr}")):
        TemplatedTexts(BEARS, "{name:fr}")


@given(taxonomies(), st.data())
def test_a_taxonomic_text_joins_what_each_name_adds(shape: Taxonomy, data: st.DataObject) -> None:
    names = ["life"]
    for node, parent in enumerate(shape.parents.tolist()[1:], start=1):
        names.append(data.draw(st.sampled_from([f"w{node}", f"{names[parent]} w{node}", f"{names[parent]}x w{node}"])))
    taxonomy = Taxonomy(shape.parents, names)
    texts = TemplatedTexts(taxonomy, "{taxonomic}")
    for node in range(1, taxonomy.num_nodes):
        path = [names[above] for above in taxonomy.path(node)]
        assert texts.of(node) == [" ".join(slowly_added(path))]


def slowly_added(path: list[str]) -> list[str]:
    """Each name without the longest name above it that it begins with."""
    found = []
    for depth, name in enumerate(path):
        starts = [above for above in path[:depth][::-1] if above and name.startswith(f"{above} ")]
        found.append(name[len(starts[0]) :].strip() if starts else name)
    return found


def test_columns_may_have_spaces_in_their_names() -> None:
    taxonomy = Taxonomy([-1, 0, 0], ["bird", "wren", "crow"], columns={"common name": ["", "jenny", ""]})
    texts = TemplatedTexts(taxonomy, "a {name}[ called {common name}]")
    assert [texts.of(node) for node in (1, 2)] == [["a wren called jenny"], ["a crow"]]


@pytest.mark.parametrize(
    ("templates", "message"),
    [
        (
            "a {nane}",
            "placeholders among {name}, {parent}, {path}, {taxonomic}, {level}, {said}, {note}, but got {nane}.",
        ),
        ("a {common name}", "{said}, {note}, but got {common name}."),
        ("a {}", "{said}, {note}, but got {}."),
        ("a bird|a plant", "a placeholder, such as 'a photo of a {name}', but got 'a bird|a plant', which is the same"),
        (" | ", "a template such as 'a photo of a {name}', but got none."),
    ],
)
def test_templates_that_say_nothing(templates: str, message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        class_texts(BIRDS, templates)
