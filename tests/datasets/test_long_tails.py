"""Long-tailed training images: sizes, ranks, randomness, and what stays."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cladewise import InputError, Taxonomy, datasets
from cladewise.datasets import Dataset, with_label_noise, with_long_tail
from cladewise.datasets.long_tails import long_tail_sizes

TREE = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("a", "e"), ("d",)])


def dataset_of(counts: dict[str, int], tree: Taxonomy = TREE, *, backwards: bool = False) -> Dataset:
    """Images of some labels, in a training and a test split of the same sizes."""
    rows = [(f"{split}/{label}-{i}.jpg", label) for split in "xy" for label, n in counts.items() for i in range(n)]
    rows = rows[::-1] if backwards else rows
    nodes = np.array([tree.find(label) for _, label in rows])
    paths = [path for path, _ in rows]
    splits = {
        name: np.array([i for i, p in enumerate(paths) if p[0] == s]) for name, s in (("train", "x"), ("test", "y"))
    }
    return Dataset("toy", tree, Path(), paths, nodes, splits)


def counts_of(dataset: Dataset, split: str = "train") -> dict[str, int]:
    found = np.bincount(dataset.nodes[dataset.indices(split)], minlength=dataset.taxonomy.num_nodes)
    return {dataset.taxonomy.names[node]: int(found[node]) for node in np.flatnonzero(found)}


def test_golden_sizes() -> None:
    # 100 · 50^(-r/3) for r = 0..3: 100, 27.14, 7.37, 2
    assert long_tail_sizes(np.array([100, 100, 100, 100]), 50.0).tolist() == [100, 27, 7, 2]
    assert long_tail_sizes(np.array([10, 10, 10]), 100.0).tolist() == [10, 1, 1]  # a label keeps one image
    assert long_tail_sizes(np.array([90, 8, 8]), 9.0).tolist() == [90, 8, 8]  # nobody gets more than there is
    assert long_tail_sizes(np.array([7]), 9.0).tolist() == [7]


@given(st.lists(st.integers(1, 200), min_size=1, max_size=30), st.floats(1, 1000))
def test_laws_of_sizes(counts: list[int], imbalance: float) -> None:
    before = np.sort(np.array(counts))[::-1]
    kept = long_tail_sizes(before, imbalance)
    assert kept.min() >= 1
    assert (kept <= before).all()
    assert (np.diff(kept) <= 0).all()
    assert kept[0] == before[0]
    if imbalance == 1:
        assert (kept == before).all()


def test_labels_at_any_node_have_a_tail_and_other_splits_stay() -> None:
    data = dataset_of({"a": 60, "b": 60, "c": 60, "e": 60, "d": 60})
    tailed = with_long_tail(data, 20, seed=3)
    assert sorted(counts_of(tailed).values()) == [3, 6, 13, 28, 60]
    assert counts_of(tailed, "test") == counts_of(data, "test")
    left = tailed.splits["surplus"]
    together = np.sort(np.concatenate([tailed.splits["train"], left]))
    assert (together == np.sort(data.splits["train"])).all()


def test_frequent_labels_stay_frequent_and_ties_are_drawn() -> None:
    tailed = with_long_tail(dataset_of({"a": 5, "b": 80, "c": 40, "d": 20}), 10)
    found = counts_of(tailed)
    assert found == {"a": 5, "b": 80, "c": 37, "d": 17}
    even = dataset_of({"b": 30, "c": 30, "e": 30, "d": 30})
    firsts = {
        max(counts_of(with_long_tail(even, 10, seed=seed)).items(), key=lambda kv: kv[1])[0] for seed in range(30)
    }
    assert firsts == {"b", "c", "e", "d"}


def test_the_order_of_files_does_not_matter() -> None:
    sizes = {"b": 30, "c": 30, "e": 30, "d": 30}
    found = [with_long_tail(dataset_of(sizes, backwards=b), 10, seed=1) for b in (False, True)]
    kept = [sorted(each.paths[i] for i in each.splits["train"]) for each in found]
    assert kept[0] == kept[1]
    other = with_long_tail(dataset_of(sizes), 10, seed=2)
    assert sorted(other.paths[i] for i in other.splits["train"]) != kept[0]


def test_joined_splits_are_ranked_together() -> None:
    data = dataset_of({"b": 30, "c": 30, "d": 30})
    tailed = with_long_tail(data, 30, split="train+test")
    both = [counts_of(tailed, "train+test")[label] for label in ("b", "c", "d")]
    assert sorted(both) == [2, 11, 60]
    assert set(tailed.splits) == {"train", "test", "surplus"}


def test_a_tail_is_made_again_from_the_source(tmp_path: Path) -> None:
    from PIL import Image

    for label in ("b", "c", "d"):
        for i in range(9):
            (tmp_path / "train" / label).mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (4, 4)).save(tmp_path / "train" / label / f"{i}.png")
    data = datasets.from_folder(tmp_path)
    tailed = with_long_tail(data, 9, seed=5)
    again = datasets.open(tailed.source)
    assert {name: each.tolist() for name, each in again.splits.items()} == {
        name: each.tolist() for name, each in tailed.splits.items()
    }
    assert tailed.source["held_out"] == [{"name": "train", "imbalance": 9, "seed": 5, "into": "surplus"}]


@pytest.mark.parametrize("imbalance", [0.5, 0, -1, float("nan"), float("inf")])
def test_an_imbalance_below_one_is_refused(imbalance: float) -> None:
    with pytest.raises(InputError, match="imbalance factor of at least 1"):
        with_long_tail(dataset_of({"b": 3}), imbalance)


def test_what_cannot_be_thinned_out_is_refused() -> None:
    data = dataset_of({"b": 3, "c": 3})
    with pytest.raises(InputError, match="new name"):
        with_long_tail(data, 2, into="test")
    with pytest.raises(InputError, match="a split of toy"):
        with_long_tail(data, 2, split="trian")
    with pytest.raises(InputError, match="original labels"):
        with_long_tail(with_label_noise(data, 0.5), 2)
