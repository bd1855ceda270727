"""Classes that a picture shows, against a slow twin."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cladewise import Taxonomy
from cladewise.errors import InputError
from cladewise.explanations.class_choice import ClassChoice
from strategies import taxonomies_with_nodes


def slowly(taxonomy: Taxonomy, labels: list[int], choice: ClassChoice) -> list[bool]:
    """One label at a time, with sets and sorted lists."""
    kept = [not choice.roots or any(root in taxonomy.path(label) for root in choice.roots) for label in labels]
    above = [0] * len(labels)
    for level, number in zip(choice.levels, choice.most, strict=False):
        at = [int(taxonomy.at_level(level)[label]) for label in labels]
        for k, label in enumerate(labels):
            is_leaf = label not in taxonomy.parents.tolist()
            kept[k] = kept[k] and (is_leaf or int(taxonomy.level[label]) >= level)
        allowed = set()
        for group in set(above):
            inside = [at[k] for k in range(len(labels)) if kept[k] and above[k] == group]
            allowed |= {(group, v) for v in sorted(set(inside), key=lambda v: (-inside.count(v), v))[:number]}
        kept = [kept[k] and (above[k], at[k]) in allowed for k in range(len(labels))]
        above = at
    return kept


@given(taxonomies_with_nodes(max_nodes=14), st.lists(st.integers(1, 3), max_size=3), st.data())
def test_shown_is_its_twin(tree_and_labels: tuple[Taxonomy, list[int]], most: list[int], data: st.DataObject) -> None:
    taxonomy, labels = tree_and_labels
    if not taxonomy.num_levels:
        with pytest.raises(InputError, match="one to 3 levels to colour by, but got 0"):
            ClassChoice.of(taxonomy)
        return
    levels = tuple(sorted(data.draw(st.sets(st.integers(1, taxonomy.num_levels), min_size=1, max_size=3))))
    roots = tuple(data.draw(st.lists(st.integers(0, taxonomy.num_nodes - 1), max_size=3)))
    choice = ClassChoice(levels, roots, tuple(most[: len(levels)]))
    shown = choice.shown(taxonomy, np.array(labels))
    assert shown.tolist() == slowly(taxonomy, labels, choice)
    nodes = choice.text_nodes(taxonomy, np.array(labels)[shown])
    if choice.is_all:
        assert nodes.tolist() == list(range(1, taxonomy.num_nodes))
    else:
        assert set(nodes.tolist()) <= {v for label in labels for v in taxonomy.path(label)} - {0}
        assert all(taxonomy.speaks(1)[nodes])


def test_of_reads_names_and_refuses_others() -> None:
    tree = Taxonomy.from_paths([("x", "a", "one"), ("y", "a", "two"), ("y", "b", "three"), ("y", "c", "four")])
    choice = ClassChoice.of(tree, "1-3", ["y/a", "x"], [2])
    assert choice == ClassChoice((1, 2, 3), (tree.find("y/a"), tree.find("x")), (2,))
    for given_values, message in (
        ({"classes": ["a"]}, "'a'"),
        ({"levels": "4"}, "levels among 1 to 3"),
        ({"most": [1, -1]}, "numbers of classes of 1 or more"),
    ):
        with pytest.raises(InputError, match=message):
            ClassChoice.of(tree, **given_values)  # type: ignore[arg-type]
    deep = Taxonomy.from_paths([("a", "b", "c", "d")])
    with pytest.raises(InputError, match="one to 3 levels to colour by, but got 4"):
        ClassChoice.of(deep, "1-4")
