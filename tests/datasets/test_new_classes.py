"""Classes held out of a dataset: which, what becomes of their images, and that it can be repeated."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cladewise import Taxonomy, datasets
from cladewise.datasets import Dataset, hold_out_classes
from cladewise.errors import InputError
from cladewise.taxonomy.pruning import remaining_place, without_nodes
from reference.small_trees import ragged_taxonomies, reordered
from reference.trees import path, under

TREE = Taxonomy.from_paths(
    [("finch", name) for name in ("serin", "linnet", "siskin", "twite", "brambling")]
    + [
        ("owl", "barn owl"),
        ("owl", "little owl"),
        ("wren",),
        ("gull", "herring"),
        ("gull", "common"),
        ("gull", "black"),
    ]
)


def photos(tree: Taxonomy = TREE, each: int = 3, nodes: np.ndarray | None = None) -> Dataset:
    labels = np.repeat(tree.leaf_nodes, each) if nodes is None else nodes
    rows = np.arange(labels.size)
    splits = {"train": rows[rows % 3 > 0], "test": rows[rows % 3 == 0]}
    names = [f"{tree.path_name(int(v))}-{k}" for k, v in enumerate(labels)]
    return Dataset("birds", tree, Path(), names, labels, splits)


def test_every_parent_keeps_two_children_and_gives_its_share() -> None:
    for seed in range(20):
        held = hold_out_classes(photos(), 0.4, seed=seed).held_out_classes
        assert held is not None
        names = [TREE.path_names(int(v)) for v in held.classes]
        by_parent = {parent: sum(name[0] == parent for name in names) for parent in ("finch", "owl", "gull")}
        assert by_parent["finch"] == 2
        assert by_parent["owl"] == 0
        assert by_parent["gull"] == 1
        assert ("wren",) in names or len(names) == 3


def test_over_the_seeds_every_leaf_is_held_out_as_often() -> None:
    counts = np.zeros(TREE.num_nodes)
    for seed in range(400):
        held = hold_out_classes(photos(), 0.4, seed=seed).held_out_classes
        assert held is not None
        counts[held.classes] += 1
    finches = counts[TREE.children(TREE.find("finch"))] / 400
    np.testing.assert_allclose(finches, 0.4, atol=0.09)


@settings(deadline=None, max_examples=60)
@given(ragged_taxonomies(), st.integers(0, 5), st.floats(0.1, 0.9))
def test_images_keep_their_place_or_go_to_the_nearest_ancestor_left(tree: Taxonomy, seed: int, share: float) -> None:
    nodes = np.random.default_rng(seed).integers(0, tree.num_nodes, 40)
    data = photos(tree, nodes=nodes)
    try:
        known = hold_out_classes(data, share, seed=seed)
    except InputError:
        return _check_nothing_had_to_go(data, share)
    held = known.held_out_classes
    assert held is not None
    assert held.taxonomy is tree
    gone = {v for c in held.classes.tolist() for v in under(tree, c)}
    for image, (before, after) in enumerate(zip(nodes.tolist(), known.nodes.tolist(), strict=True)):
        left = [v for v in path(tree, before) if v not in gone]
        assert known.taxonomy.path_names(after) == tree.path_names(left[-1])
        for split, rows in data.splits.items():
            if image in rows:
                assert image in known.splits[f"{split}-new" if before in gone else split]
    assert sum(map(len, known.splits.values())) == len(data)
    for v in set(tree.parents[held.classes].tolist()):
        seen = [
            c
            for c in np.flatnonzero(tree.parents == v).tolist()
            if c not in gone and np.isin(nodes, under(tree, c)).any()
        ]
        assert len(seen) >= 2
    return None


def _check_nothing_had_to_go(data: Dataset, share: float) -> None:
    """A parent of three children with images must lose a leaf only if the share of its leaves is a whole one."""
    tree = data.taxonomy
    for v in range(tree.num_nodes):
        children = np.flatnonzero(tree.parents == v).tolist()
        seen = [c for c in children if np.isin(data.nodes, under(tree, c)).any()]
        assert len(seen) < 3 or share * int(tree.is_leaf[seen].sum()) < 1


def test_the_order_of_siblings_does_not_matter() -> None:
    moved, number = reordered(TREE, 3)
    data = photos()
    there = dataclasses.replace(data, taxonomy=moved, nodes=number[data.nodes])
    first, second = (hold_out_classes(d, 0.4, seed=1).held_out_classes for d in (data, there))
    assert first is not None
    assert second is not None
    assert {TREE.path_name(int(v)) for v in first.classes} == {moved.path_name(int(v)) for v in second.classes}


def test_named_classes_and_branches() -> None:
    known = hold_out_classes(photos(), nodes=["gull", "linnet"])
    assert "gull" not in {known.taxonomy.path_name(v) for v in range(known.taxonomy.num_nodes)}
    new = known.nodes[known.splits["test-new"]]
    assert {known.taxonomy.path_name(int(v)) for v in new} == {"finch", ""}


def test_a_dataset_is_opened_again_without_the_classes(colour_folder: Path) -> None:
    whole = datasets.from_folder(colour_folder)
    for known in (hold_out_classes(whole, 0.6, seed=2), hold_out_classes(whole, nodes=["warm/red"])):
        again = datasets.open(known.source)
        assert again.taxonomy == known.taxonomy
        assert again.nodes.tolist() == known.nodes.tolist()
        assert {k: v.tolist() for k, v in again.splits.items()} == {k: v.tolist() for k, v in known.splits.items()}
        folds = datasets.fold(known, "train", 0, of=3)
        assert datasets.open(folds.source).splits["train"].tolist() == folds.splits["train"].tolist()


def test_mistakes_are_one_line() -> None:
    known = hold_out_classes(photos(), 0.4)
    for make, told in (
        (lambda: hold_out_classes(photos()), "neither"),
        (lambda: hold_out_classes(photos(), 0.4, nodes=["wren"]), "both"),
        (lambda: hold_out_classes(photos(), 1.5), r"in \(0, 1\)"),
        (lambda: hold_out_classes(photos(), 0.001, seed=1), "larger share"),
        (lambda: hold_out_classes(known, 0.4), "held out before"),
        (lambda: hold_out_classes(photos(), nodes=["owl/barn owl", "owl/little owl"]), "keep a child"),
        (lambda: hold_out_classes(photos(), nodes=[0]), "nodes from 1"),
        (lambda: hold_out_classes(photos(), nodes=["parrot"]), "parrot"),
        (lambda: datasets.split(known), "before holding classes out"),
    ):
        with pytest.raises(InputError, match=told):
            make()


@settings(deadline=None)
@given(ragged_taxonomies(), st.data())
def test_pruned_trees_keep_the_paths(tree: Taxonomy, data: st.DataObject) -> None:
    chosen = data.draw(st.lists(st.integers(1, tree.num_nodes - 1), min_size=1, max_size=3))
    gone = {v for c in chosen for v in under(tree, c)}
    emptied = [
        v
        for v in range(tree.num_nodes)
        if v not in gone
        and (tree.parents == v).any()
        and all(c in gone for c in np.flatnonzero(tree.parents == v).tolist())
    ]
    if emptied:
        with pytest.raises(InputError, match="keep a child"):
            without_nodes(tree, chosen)
        return
    less, kept = without_nodes(tree, chosen)
    assert kept.tolist() == [v for v in range(tree.num_nodes) if v not in gone]
    assert [less.path_names(v) for v in range(less.num_nodes)] == [tree.path_names(v) for v in kept.tolist()]
    place = remaining_place(tree, kept)
    for v in range(tree.num_nodes):
        assert kept[place[v]] == [u for u in path(tree, v) if u not in gone][-1]
