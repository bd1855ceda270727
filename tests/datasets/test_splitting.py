"""Laws of the stratified splits."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cladewise import InputError, Taxonomy
from cladewise.datasets import Dataset, fold, hold_out, split

FRACTIONS = {"train": 0.7, "val": 0.1, "test": 0.2}


def dataset(sizes: list[int], order: np.ndarray | None = None) -> Dataset:
    """One class of each size, the first of them at an internal node."""
    tree = Taxonomy.from_paths([("top",), *[("top", f"class {k}") for k in range(1, len(sizes))]])
    nodes = np.repeat(np.arange(1, len(sizes) + 1), sizes)
    paths = [f"{node}/{number}.png" for number, node in enumerate(nodes)]
    order = np.arange(nodes.size) if order is None else order
    return Dataset("made up", tree, Path(), tuple(paths[i] for i in order), nodes[order], {})


def files(data: Dataset, name: str) -> set[str]:
    return {data.paths[i] for i in data.splits[name]}


def test_a_data_set_is_told_in_a_line() -> None:
    data = split(dataset([50, 50]), FRACTIONS)
    assert repr(data) == "Dataset('made up', 100 images (70 train, 10 val, 20 test), " + repr(data.taxonomy) + ")"


def test_an_image_names_all_its_splits() -> None:
    splits = {"train": np.array([3, 0]), "val": np.array([2]), "labelled": np.array([0, 2])}
    assert dataclasses.replace(dataset([5]), splits=splits).split_names == [
        "train+labelled",
        "",
        "val+labelled",
        "train",
        "",
    ]


@given(st.lists(st.integers(0, 25), min_size=1, max_size=12), st.integers(0, 5))
def test_every_node_is_spread(sizes: list[int], seed: int) -> None:
    data = split(dataset(sizes), FRACTIONS, seed)
    everything = np.concatenate(list(data.splits.values()))
    np.testing.assert_array_equal(np.sort(everything), np.arange(len(data)))
    for node, size in enumerate(sizes, start=1):
        counts = {name: int((data.nodes[part] == node).sum()) for name, part in data.splits.items()}
        assert counts["train"] >= min(1, size)
        for name, fraction in FRACTIONS.items():
            # the one image that train must have may come from another split
            assert np.floor(size * fraction + 1e-6) - 1 <= counts[name] <= np.ceil(size * fraction - 1e-6)
        if size % 10 == 0:
            assert counts == {"train": size * 7 // 10, "val": size // 10, "test": size * 2 // 10}


@given(st.lists(st.integers(1, 12), min_size=1, max_size=6), st.randoms(use_true_random=False))
def test_the_order_of_files_does_not_matter(sizes: list[int], random) -> None:
    order = np.arange(sum(sizes))
    random.shuffle(order)
    straight, shuffled = split(dataset(sizes), seed=3), split(dataset(sizes, order), seed=3)
    for name in straight.splits:
        assert files(straight, name) == files(shuffled, name)


def test_the_seed_decides() -> None:
    data = dataset([40, 40])
    assert files(split(data, seed=1), "test") == files(split(data, seed=1), "test")
    assert files(split(data, seed=1), "test") != files(split(data, seed=2), "test")


def test_small_classes_keep_the_proportions_on_average() -> None:
    data = split(dataset([3] * 2000), FRACTIONS, 0)
    shares = {name: part.size / len(data) for name, part in data.splits.items()}
    for name, fraction in FRACTIONS.items():
        assert shares[name] == pytest.approx(fraction, abs=0.02)


def test_hold_out_takes_from_one_split_only() -> None:
    whole = split(dataset([20, 5, 1]), FRACTIONS, 0)
    tuned = hold_out(whole, "train", 0.2, seed=4)
    assert files(tuned, "test") == files(whole, "test")
    assert files(tuned, "train") | files(tuned, "tune") == files(whole, "train")
    assert not files(tuned, "train") & files(tuned, "tune")
    assert set(tuned.nodes[tuned.splits["train"]]) == {1, 2, 3}
    assert int((tuned.nodes[tuned.splits["tune"]] == 1).sum()) in (2, 3)
    assert tuned.source["held_out"] == [{"name": "train", "fraction": 0.2, "seed": 4, "into": "tune"}]


@given(st.lists(st.integers(0, 12), min_size=1, max_size=6), st.integers(2, 6), st.integers(0, 5))
def test_every_image_is_left_out_once(sizes: list[int], of: int, seed: int) -> None:
    whole = split(dataset([30, *sizes]), FRACTIONS, 0)
    folds = [fold(whole, "train+val", number, of, seed) for number in range(of)]
    everything = np.sort(np.concatenate([data.splits["left-out"] for data in folds]))
    np.testing.assert_array_equal(everything, np.sort(whole.indices("train+val")))
    counts = np.array([np.bincount(data.nodes[data.splits["left-out"]], minlength=40) for data in folds])
    assert (counts.max(0) - counts.min(0) <= 1).all()
    for data in folds:
        assert files(data, "train") | files(data, "val") | files(data, "left-out") == files(whole, "train") | files(
            whole, "val"
        )
        assert not (files(data, "train") | files(data, "val")) & files(data, "left-out")
        assert files(data, "test") == files(whole, "test")


def test_folds_follow_from_names_and_seed() -> None:
    data = split(dataset([40, 9]), FRACTIONS, 0)
    shuffled = np.random.default_rng(0).permutation(len(data))
    back = np.argsort(shuffled)
    again = dataclasses.replace(
        data,
        paths=tuple(data.paths[i] for i in shuffled),
        nodes=data.nodes[shuffled],
        splits={name: back[part] for name, part in data.splits.items()},
    )
    assert files(fold(data, "train", 1), "left-out") == files(fold(again, "train", 1), "left-out")
    assert files(fold(data, "train", 1), "left-out") != files(fold(data, "train", 1, seed=1), "left-out")


@pytest.mark.parametrize(("number", "of"), [(5, 5), (-1, 5), (0, 1)])
def test_a_fold_that_is_none(number: int, of: int) -> None:
    with pytest.raises(InputError, match=f"one of at least 2 folds, counted from 0, but got fold {number} of {of}"):
        fold(split(dataset([4])), "train", number, of)
    with pytest.raises(InputError, match="a new name for the images left out, but got 'test'"):
        fold(split(dataset([4])), "train", 0, into="test")


@pytest.mark.parametrize("fractions", [{"train": 0.5}, {"train": 1.2, "test": -0.2}, {}, {"train": 1.0, "test": 0.0}])
def test_fractions_that_are_none(fractions: dict[str, float]) -> None:
    with pytest.raises(InputError, match="fractions above 0 that sum to 1"):
        split(dataset([4]), fractions)


def test_holding_out_what_cannot_be() -> None:
    data = split(dataset([4]))
    with pytest.raises(InputError, match=r"a fraction in \(0, 1\), but got 1"):
        hold_out(data, "train", 1)
    with pytest.raises(InputError, match="a new name for the held-out split, but got 'test', which exists"):
        hold_out(data, "train", 0.5, into="test")
    with pytest.raises(InputError, match="a split of made up: train, val, test, but got 'extra'"):
        hold_out(data, "extra", 0.5)
