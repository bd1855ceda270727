"""Entries of the cache, and their removal."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from cladewise import Taxonomy, backbones
from cladewise.atomic import writing
from cladewise.datasets.dataset import Dataset
from cladewise.engine import cache_entries, clear_cache
from cladewise.engine.feeding.features import Features, cached_features
from cladewise.errors import InputError

COUNT = 4
Compute = Callable[..., Features]

HOLDING = """
import sys, time, filelock
with filelock.FileLock(sys.argv[1]):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    (tmp_path / "images").mkdir()
    for number in range(COUNT):
        Image.new("RGB", (40, 40), (60 * number, 10, 20)).save(tmp_path / "images" / f"{number}.png")
    nodes, splits = np.ones(COUNT, dtype=np.int64), {"train": np.array([0, 2]), "test": np.array([1, 3])}
    tree, paths = Taxonomy([-1, 0], ["all", "a"]), [f"{number}.png" for number in range(COUNT)]
    return Dataset("four", tree, tmp_path / "images", paths, nodes, splits)


@pytest.fixture
def compute(tmp_path: Path) -> Compute:
    torch.manual_seed(0)
    backbone = backbones.load("test_resnet", pretrained=False, image_size=32)

    def compute(dataset: Dataset, images: str | None = None, **options: Any) -> Features:
        return cached_features(dataset, images, backbone, workers=0, cache_dir=tmp_path / "cache", **options)

    return compute


def all_rows(found: Features) -> np.ndarray:
    return found.rows(np.arange(COUNT))


@pytest.fixture
def cache(tmp_path: Path, dataset: Dataset, compute: Compute) -> Path:
    """A cache of two recipes, with an old folder of features, texts, and a file and a folder of somebody else."""
    cache = tmp_path / "cache"
    compute(dataset, "train")
    compute(dataset, "test")
    compute(dataset, views=3, augment=True, seed=4)
    old = cache / "features" / "four-test_resnet-0123"
    old.mkdir()
    (old / "key.json").write_text("{}")
    (old / "values.npy").write_bytes(bytes(1000))
    (cache / "texts").mkdir()
    (cache / "texts" / "a.safetensors").write_bytes(bytes(50))
    (cache / "list.json").write_text("[]")
    (cache / "letters").mkdir()
    (cache / "letters" / "a.txt").write_text("mine")
    return cache


def test_entries_say_what_is_there(cache: Path) -> None:
    entries = {entry.name: entry for entry in cache_entries(folder=cache)}
    assert sorted(entries) == list(entries)
    plain, views = (entry for entry in entries.values() if entry.images)
    if plain.rows != COUNT:
        plain, views = views, plain
    assert (plain.about, plain.images, plain.rows) == ("test_resnet, fp32", COUNT, COUNT)
    assert (views.about, views.images, views.rows) == ("test_resnet, fp32, augmented with seed 4", COUNT, 3 * COUNT)
    assert plain.num_bytes == sum(path.stat().st_size for path in plain.path.rglob("*") if path.is_file())
    old = entries["features/four-test_resnet-0123"]
    assert (old.images, old.num_bytes, old.stale) == (None, 1002, "made by an earlier version")
    assert entries["texts"].about == "features of texts"
    assert {name for name, entry in entries.items() if entry.stale} == {old.name}
    assert all(time.time() - entry.last_used.timestamp() < 600 for entry in entries.values())


def test_nothing_cached(tmp_path: Path) -> None:
    assert cache_entries(folder=tmp_path / "none") == []
    with pytest.raises(InputError, match=r"the name of something in .* The cache is empty"):
        cache_entries("features/*", folder=tmp_path / "none")


def test_entries_are_chosen_by_name_and_age(cache: Path) -> None:
    assert [entry.name for entry in cache_entries("stale", folder=cache)] == ["features/four-test_resnet-0123"]
    assert {entry.name.split("/")[0] for entry in cache_entries("features/*", folder=cache)} == {"features"}
    with pytest.raises(InputError, match="Did you mean texts"):
        cache_entries("text", folder=cache)
    with pytest.raises(InputError, match="a number of days of at least 0, but got -1"):
        cache_entries(older_than=-1, folder=cache)
    for path in (cache / "texts" / "a.safetensors", cache / "texts"):
        os.utime(path, (time.time() - 40 * 86400,) * 2)
    assert [entry.name for entry in cache_entries(older_than=30, folder=cache)] == ["texts"]
    assert cache_entries("stale", older_than=30, folder=cache) == []


def test_using_features_renews_them(cache: Path, dataset: Dataset, compute: Compute) -> None:
    long_ago = time.time() - 40 * 86400
    for path in cache.rglob("*"):
        os.utime(path, (long_ago, long_ago))
    compute(dataset)
    old = {entry.name for entry in cache_entries("features/*", older_than=30, folder=cache)}
    assert len(old) == 2  # the views, and those of an earlier version


def test_what_is_cleared_is_computed_again(cache: Path, dataset: Dataset, compute: Compute) -> None:
    held = compute(dataset)
    before = all_rows(held)
    assert clear_cache(cache_entries("stale", folder=cache)) == []
    assert not (cache / "features" / "four-test_resnet-0123").exists()
    np.testing.assert_array_equal(all_rows(compute(dataset)), before)
    assert clear_cache(cache_entries(folder=cache)) == []
    assert cache_entries(folder=cache) == []
    np.testing.assert_array_equal(all_rows(held), before)  # from files that are open
    np.testing.assert_allclose(all_rows(compute(dataset)), before, atol=1e-5)


def test_what_a_process_is_writing_is_kept(cache: Path) -> None:
    plain = next(entry for entry in cache_entries(folder=cache) if entry.rows == COUNT)
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDING, str(next(plain.path.glob("lock-*")))], stdout=subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        assert [entry.name for entry in clear_cache([plain])] == [plain.name]
        assert plain.path.is_dir()
    finally:
        process.kill()
        process.wait()
        process.stdout.close()  # type: ignore[union-attr]
    with writing(cache / "texts" / "b.safetensors"):
        texts = cache_entries("texts", folder=cache)
        assert clear_cache(texts) == texts
    assert clear_cache([plain, *texts]) == []


def test_an_interrupted_removal_is_stale(cache: Path) -> None:
    (cache / "texts").rename(cache / ".removed-01234567")
    stale = cache_entries("stale", folder=cache)
    assert [entry.stale for entry in stale] == ["half removed", "made by an earlier version"]
    assert clear_cache(stale) == []
    assert not (cache / ".removed-01234567").exists()


def test_files_of_others_and_what_links_point_to_stay(cache: Path, tmp_path: Path) -> None:
    (cache / "emoji-0123").symlink_to(tmp_path / "images")
    entries = cache_entries(folder=cache)
    assert {entry.name.split("/")[0] for entry in entries} == {"emoji-0123", "features", "texts"}
    assert clear_cache(entries) == []
    assert (cache / "list.json").read_text() == "[]"
    assert (cache / "letters" / "a.txt").read_text() == "mine"
    assert not (cache / "emoji-0123").is_symlink()
    assert len(list((tmp_path / "images").iterdir())) == COUNT
    assert cache_entries(folder=cache) == []


def test_merged_parts_are_stale(cache: Path) -> None:
    plain = next(entry for entry in cache_entries(folder=cache) if entry.rows == COUNT)
    aside = plain.path / "replaced"
    aside.mkdir()
    (aside / "x.safetensors").write_bytes(bytes(70))
    again = next(entry for entry in cache_entries(folder=cache) if entry.name == plain.name)
    assert (again.num_bytes, again.images) == (plain.num_bytes, COUNT)
    assert [(entry.name, entry.num_bytes) for entry in cache_entries("*/replaced", folder=cache)] == [
        (f"{plain.name}/replaced", 70)
    ]


def test_damaged_features_are_listed(cache: Path) -> None:
    plain = next(entry for entry in cache_entries(folder=cache) if entry.rows == COUNT)
    next(plain.path.glob("*.safetensors")).write_bytes(b"")
    again = next(entry for entry in cache_entries(folder=cache) if entry.name == plain.name)
    assert (again.images, again.about) == (None, "test_resnet, fp32")
