"""Labels that are wrong or coarser on purpose: how many, which, and that no other label changes."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from cladewise import InputError, Taxonomy, datasets
from cladewise.datasets import Dataset, hold_out, split, with_coarse_labels, with_label_noise
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
    again = datasets.open(changed.source)
    assert again.nodes.tolist() == changed.nodes.tolist() != data.nodes.tolist()
    with pytest.raises(InputError, match="a change of labels: noise, coarse, but got 'nosie'"):
        datasets.open({**data.source, "relabelled": [{"kind": "nosie"}]})
