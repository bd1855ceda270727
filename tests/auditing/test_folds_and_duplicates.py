"""Folds that keep groups together, and images that are there twice."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from cladewise import backbones
from cladewise.auditing.duplicates import find_duplicates
from cladewise.auditing.evidence import kept_together
from cladewise.auditing.folds import dealt, groups_of
from cladewise.datasets import Dataset
from cladewise.engine.feeding.features import cached_features
from cladewise.explanations.pairs import close_pairs
from cladewise.taxonomy import Taxonomy


@given(st.integers(0, 999), st.integers(2, 6))
def test_folds_keep_groups_and_share_out_labels(seed: int, folds: int) -> None:
    random = np.random.default_rng(seed)
    groups = np.unique(random.integers(20, size=50), return_inverse=True)[1]
    labels = random.integers(4, size=50)
    fold = dealt(groups, labels, folds, seed)
    for group in np.unique(groups):
        assert len(set(fold[groups == group].tolist())) == 1
    alone = dealt(np.arange(50), labels, folds, seed)
    for label in np.unique(labels):
        count = np.bincount(alone[labels == label], minlength=folds)
        assert count.max() - count.min() <= 1


def test_links_are_followed_and_series_are_not_kept_together() -> None:
    pairs = np.array([[0, 1, 5], [1, 2, 6]])
    assert groups_of(8, pairs).tolist() == [0, 0, 0, 1, 2, 3, 3, 4]
    column = np.array([-1, -1, 9, 9, -1, -1, -1, 9])
    together = groups_of(8, pairs, column)
    assert len({int(together[i]) for i in (0, 1, 2, 3, 7)}) == 1
    chain = np.stack([np.arange(30), np.arange(1, 31)])
    assert len(np.unique(kept_together(31, chain, None))) == 31


@given(st.integers(0, 99), st.floats(0.01, 1.5))
def test_close_pairs_equal_all_pairs_in_a_loop(seed: int, farthest: float) -> None:
    vectors = torch.randn(25, 3, generator=torch.Generator().manual_seed(seed))
    unit = (vectors / vectors.norm(dim=1, keepdim=True)).double().numpy()
    wanted = {(i, j) for i in range(25) for j in range(i + 1, 25) if 1 - unit[i] @ unit[j] <= farthest - 1e-5}
    allowed = {(i, j) for i in range(25) for j in range(i + 1, 25) if 1 - unit[i] @ unit[j] <= farthest + 1e-5}
    found = close_pairs(vectors, farthest, progress=False)
    pairs = set(zip(found.first.tolist(), found.second.tolist(), strict=True))
    assert wanted <= pairs <= allowed
    assert (np.diff(found.distance) >= 0).all()


@pytest.fixture
def twice(tmp_path: Path, shared_cache: Path) -> Dataset:
    """Six different pictures; the first is copied, recompressed and made smaller."""
    random = np.random.default_rng(0)
    names = []
    for number in range(6):
        small = random.integers(256, size=(3, 3, 3), dtype=np.uint8)
        Image.fromarray(small).resize((96, 96), Image.Resampling.BICUBIC).save(tmp_path / f"{number}.png")
        names.append(f"{number}.png")
    first = Image.open(tmp_path / "0.png")
    (tmp_path / "copy.png").write_bytes((tmp_path / "0.png").read_bytes())
    first.save(tmp_path / "jpeg.jpg", quality=90)
    first.resize((80, 80)).save(tmp_path / "small.png")
    names += ["copy.png", "jpeg.jpg", "small.png"]
    tree = Taxonomy.from_paths([("a", "b"), ("c",)])
    return Dataset("twice", tree, tmp_path, names, np.array([2] * 6 + [3] * 3), {"train": np.arange(9)})


def test_copies_are_found_and_different_pictures_are_not(twice: Dataset) -> None:
    encoder = backbones.load("efficientnet_lite0")
    features = cached_features(twice, None, encoder, progress=False)
    found = find_duplicates(twice, np.arange(9), features, farthest=0.9, progress=False)
    pairs = {(i, j): same for i, j, same in zip(found.first, found.second, found.same_content, strict=True)}
    assert pairs[(0, 6)]
    assert not pairs[(0, 7)]
    assert {i for pair in pairs for i in pair} == {0, 7, 8, 6}  # near pairs are of the first file of each content
    assert (found.first < found.second).all()
    none = find_duplicates(twice, np.arange(1, 6), features, farthest=0.9, progress=False)
    assert none.first.size == 0
