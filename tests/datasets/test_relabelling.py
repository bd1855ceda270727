"""Labels that are wrong or coarser on purpose: how many, which, and that no other label changes."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from cladewise import InputError, Taxonomy, datasets
from cladewise.datasets import (
    Dataset,
    hold_out,
    split,
    with_coarse_labels,
    with_label_noise,
    with_labels_by_level,
)
from cladewise.taxonomy.level_choice import chosen_levels
from reference.small_trees import ragged_taxonomies
from reference.trees import path

shares, seeds = st.floats(0, 1), st.integers(0, 10**6)


@st.composite
def labelled(draw: st.DrawFn) -> Dataset:
    """Any tree, images at any of its nodes, two splits that overlap."""
    taxonomy = draw(ragged_taxonomies())
    nodes = np.array(draw(st.lists(st.integers(0, taxonomy.num_nodes - 1), min_size=1, max_size=30)))
    cut = draw(st.integers(0, nodes.size))
    splits = {"train": np.arange(cut), "test": np.arange(cut, nodes.size)}
    return Dataset("made up", taxonomy, Path(), [f"{i}" for i in range(nodes.size)], nodes, splits)


def wrong_labels(taxonomy: Taxonomy, node: int) -> set[int]:
    """Nodes of the extended level of a label that are neither above nor below it."""
    level = taxonomy.num_levels if taxonomy.is_leaf[node] else int(taxonomy.level[node])
    members = taxonomy.level_nodes(level).tolist()
    return {u for u in members if u not in path(taxonomy, node) and node not in path(taxonomy, u)}


def coarser(taxonomy: Taxonomy, node: int, level: str) -> int:
    """The deepest ancestor-or-self that is not finer than the level; the parent where none is named."""
    if not level:
        return max(int(taxonomy.parents[node]), 0)
    (number,) = chosen_levels(level, taxonomy)
    return [u for u in path(taxonomy, node) if taxonomy.level[u] <= number][-1]


@given(labelled(), shares, seeds)
def test_noise_is_wrong_and_exactly_the_share(data: Dataset, share: float, seed: int) -> None:
    noisy = with_label_noise(data, share, seed=seed)
    changed = np.flatnonzero(noisy.nodes != data.nodes)
    can = [i for i in data.indices("train").tolist() if wrong_labels(data.taxonomy, int(data.nodes[i]))]
    assert changed.size == round(share * len(can))
    assert set(changed.tolist()) <= set(can)
    for i in changed:
        assert int(noisy.nodes[i]) in wrong_labels(data.taxonomy, int(data.nodes[i]))
    assert with_label_noise(data, share, seed=seed).nodes.tolist() == noisy.nodes.tolist()
    assert with_label_noise(data, 0.0, seed=seed).nodes.tolist() == data.nodes.tolist()


@given(labelled(), shares, seeds, st.data())
def test_coarse_labels_are_ancestors_and_exactly_the_share(
    data: Dataset, share: float, seed: int, draw: st.DataObject
) -> None:
    level = draw.draw(st.sampled_from(["", *map(str, range(1, data.taxonomy.num_levels + 1))]))
    coarse = with_coarse_labels(data, share, level=level, seed=seed)
    changed = np.flatnonzero(coarse.nodes != data.nodes)
    left = {i: coarser(data.taxonomy, int(data.nodes[i]), level) for i in data.indices("train").tolist()}
    can = [i for i, node in left.items() if node not in (0, data.nodes[i])]
    assert changed.size == round(share * len(can))
    assert all(coarse.nodes[i] == left[i] for i in changed.tolist())
    assert with_coarse_labels(data, share, level=level, seed=seed).nodes.tolist() == coarse.nodes.tolist()


def photographs(each: int = 600) -> Dataset:
    taxonomy = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d", "e"), ("f",)], level_names=["order", "species"])
    nodes = np.repeat([taxonomy.find(name) for name in ("b", "d")], each)
    splits = {"train": np.arange(nodes.size)}
    return Dataset("made up", taxonomy, Path(), [f"{i}" for i in range(nodes.size)], nodes, splits)


def test_every_wrong_label_is_equally_likely() -> None:
    data = photographs()
    noisy, find = with_label_noise(data, 1.0, seed=1), data.taxonomy.find
    of_leaf, of_order = Counter(noisy.nodes[:600].tolist()), Counter(noisy.nodes[600:].tolist())
    assert set(of_leaf) == {find("c"), find("e"), find("f")}
    assert set(of_order) == {find("a"), find("f")}  # a leaf above the level is in it
    assert min(of_leaf.values()) > 150
    assert min(of_order.values()) > 240


def test_noise_and_coarse_labels_draw_different_images() -> None:
    data = photographs()
    noisy = np.flatnonzero(with_label_noise(data, 0.5, seed=0).nodes != data.nodes)
    coarse = np.flatnonzero(with_coarse_labels(data, 0.5, seed=0).nodes != data.nodes)
    assert not set(coarse) <= set(noisy)


@st.composite
def labelled_with_shares(draw: st.DrawFn) -> tuple[Dataset, dict[str, float]]:
    """Data whose tree has a level, and a distribution over some of its levels."""
    data = draw(labelled().filter(lambda found: found.taxonomy.num_levels > 0))
    levels = draw(st.lists(st.integers(1, data.taxonomy.num_levels), min_size=1, unique=True))
    weights = np.array(draw(st.lists(st.integers(1, 9), min_size=len(levels), max_size=len(levels))), dtype=float)
    return data, dict(zip(map(str, levels), (weights / weights.sum()).tolist(), strict=True))


def cut(taxonomy: Taxonomy, node: int, level: int) -> int:
    """The deepest node of the path at or above a level, but never the root where the path has another."""
    there = [u for u in path(taxonomy, node) if u and taxonomy.level[u] <= level]
    below_root = [u for u in path(taxonomy, node) if u]
    return there[-1] if there else below_root[0] if below_root else 0


@given(labelled_with_shares(), seeds)
def test_labels_by_level_are_cut_and_each_label_has_its_shares(
    given: tuple[Dataset, dict[str, float]], seed: int
) -> None:
    data, shares = given
    tree, found = data.taxonomy, with_labels_by_level(data, shares, seed=seed)
    train = data.indices("train")
    assert found.nodes[data.indices("test")].tolist() == data.nodes[data.indices("test")].tolist()
    assert with_labels_by_level(data, shares, seed=seed).nodes.tolist() == found.nodes.tolist()
    numbered = {int(level): share for level, share in shares.items()}
    assert with_labels_by_level(data, numbered, seed=seed).nodes.tolist() == found.nodes.tolist()
    for label in np.unique(data.nodes[train]).tolist():
        images = train[data.nodes[train] == label]
        left = Counter(found.nodes[images].tolist())
        wanted: dict[int, list[float]] = {}
        for level, share in shares.items():
            wanted.setdefault(cut(tree, label, int(level)), []).append(share * images.size)
        assert set(left) <= set(wanted)
        for node, numbers in wanted.items():
            low, high = sum(math.floor(n + 1e-9) for n in numbers), sum(math.ceil(n - 1e-9) for n in numbers)
            assert low <= left[node] <= high, (label, node)


def test_labels_by_level_are_unbiased_where_a_class_has_few_images() -> None:
    tree = Taxonomy.from_paths([("a", "b"), ("a", "c")])
    data = Dataset("made up", tree, Path(), list("xyz"), np.array([2, 2, 2]), {"train": np.arange(3)})
    fine = [int((with_labels_by_level(data, "1=0.9,2=0.1", seed=k).nodes == 2).sum()) for k in range(2000)]
    assert set(fine) == {0, 1}
    assert np.mean(fine) == pytest.approx(0.3, abs=0.04)  # four standard errors


def test_golden_labels_by_level_of_a_large_class() -> None:
    """ImageNet-F's distribution on 1,000 images of one class: 394 basic, 280 subordinate and 326 fine labels."""
    names = ["basic", "subordinate", "fine"]
    tree = Taxonomy.from_paths([("bird", "bird of prey", "eagle"), ("bird", "finch")], level_names=names)
    eagles, finches = np.full(1000, tree.find("eagle")), np.full(1000, tree.find("finch"))
    nodes = np.concatenate([eagles, finches])
    data = Dataset("made up", tree, Path(), [f"{i}" for i in range(2000)], nodes, {"train": np.arange(2000)})
    found = with_labels_by_level(data, "basic=0.394,subordinate=0.28,fine=0.326", seed=3).nodes
    of_eagles = {str(tree.names[node]): count for node, count in Counter(found[:1000].tolist()).items()}
    of_finches = {str(tree.names[node]): count for node, count in Counter(found[1000:].tolist()).items()}
    assert of_eagles == {"bird": 394, "bird of prey": 280, "eagle": 326}
    assert of_finches == {"bird": 394, "finch": 606}  # a leaf of the second level keeps itself at the third


@pytest.mark.parametrize(
    ("shares", "message"),
    [
        ("order=0.5", r"shares of the labels in \[0, 1\] with sum 1, but got order: 0.5 \(sum 0.5\)"),
        ("order=-0.5,species=1.5", "order: -0.5, species: 1.5"),
        ("order=nan,species=1", "sum nan"),
        ("order", "levels with a share each, like family=0.4,species=0.6, but got 'order'"),
        ("=1", "levels with a share each"),
        ("", "levels with a share each"),
        ("genus=1", "a level: order, species, but got 'genus'"),
        ("order=0.5,1=0.5", "each level once, but got order, 1"),
        ({}, r"but got none \(sum 0\)"),
    ],
)
def test_what_is_no_distribution_over_levels_is_told(shares: str | dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        with_labels_by_level(photographs(), shares)


def test_levels_have_names_and_numbers() -> None:
    data = photographs()
    by_name, by_number = (with_coarse_labels(data, 1.0, level=level).nodes.tolist() for level in ("order", "1"))
    assert by_name == by_number
    with pytest.raises(InputError, match="levels among 1 to 2 or order, species, or all, but got 'ordre'"):
        with_coarse_labels(data, 0.5, level="ordre")
    with pytest.raises(InputError, match="one level that is left, but got 'order,species'"):
        with_coarse_labels(data, 0.5, level="order,species")


@pytest.mark.parametrize("change", [with_label_noise, with_coarse_labels])
def test_what_cannot_be_is_told(change) -> None:
    with pytest.raises(InputError, match=r"a share of the images in \[0, 1\], but got 2"):
        change(photographs(), 2)
    with pytest.raises(InputError, match="a split of made up: train, but got 'trian'"):
        change(photographs(), 0.5, split="trian")
    with pytest.raises(InputError, match=r"with its original labels, but got changed labels\. Split it before"):
        split(change(photographs(), 0.5))
    with pytest.raises(InputError, match="Split it before changing labels"):
        hold_out(change(photographs(), 0.5), "train", 0.1)


def test_the_source_of_a_relabelled_set_makes_it_again(tmp_path: Path) -> None:
    for k in range(36):
        Image.new("RGB", (8, 8)).save(tmp_path / f"{k}.png")
    rows = "".join(f"{k}.png,{label}\n" for k, label in enumerate("abcabcabcabc" * 3))
    (tmp_path / "images.csv").write_text(f"path,label\n{rows}")
    (tmp_path / "tree.csv").write_text("top,leaf\nx,a\nx,b\ny,c\n")
    data = hold_out(datasets.from_manifest(tmp_path / "images.csv", tmp_path / "tree.csv"), "train", 0.2)
    changed = with_coarse_labels(with_label_noise(data, 0.3, seed=4), 0.5, split="train+val", level="top")
    changed = with_labels_by_level(changed, "top=0.5,leaf=0.5", seed=2)
    again = datasets.open(changed.source)
    assert again.nodes.tolist() == changed.nodes.tolist() != data.nodes.tolist()
    with pytest.raises(InputError, match="a change of labels: noise, coarse, by-level, but got 'nosie'"):
        datasets.open({**data.source, "relabelled": [{"kind": "nosie"}]})
