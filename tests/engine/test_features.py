from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from cladewise import Taxonomy, backbones
from cladewise.datasets.dataset import Dataset
from cladewise.engine.feeding import feature_store
from cladewise.engine.feeding.features import Features, cached_features, images_fingerprint
from cladewise.errors import InputError

COUNT = 11


def make_images(root: Path, count: int = COUNT) -> None:
    rng = np.random.default_rng(0)
    root.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        Image.fromarray(rng.integers(0, 256, (40, 50, 3), dtype=np.uint8)).save(root / f"{number}.png")


def open_images(root: Path, count: int = COUNT) -> Dataset:
    splits = {"train": np.arange(0, count, 2), "test": np.arange(1, count, 2)}
    paths, nodes = [f"{n}.png" for n in range(count)], np.ones(count, dtype=np.int64)
    return Dataset("eleven", Taxonomy([-1, 0], ["all", "a"]), root, paths, nodes, splits)


def tiny() -> backbones.Backbone:
    torch.manual_seed(0)
    return backbones.load("test_resnet", pretrained=False, image_size=32)


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    make_images(tmp_path / "images")
    return open_images(tmp_path / "images")


@pytest.fixture
def compute(tmp_path: Path) -> Callable[..., Features]:
    def compute(
        dataset: Dataset, images: object = None, backbone: backbones.Backbone | None = None, **options: object
    ) -> Features:
        options = {"cache_dir": tmp_path / "cache", "batch_size": 4, "workers": 0, **options}
        return cached_features(dataset, images, backbone or tiny(), **options)  # type: ignore[arg-type]

    return compute


Compute = Callable[..., Features]


def test_features_are_what_the_backbone_says(dataset: Dataset, compute: Compute) -> None:
    backbone = tiny().eval()
    pictures = [Image.open(dataset.root / path) for path in dataset.paths]
    with torch.inference_mode():
        expected = backbone(torch.stack([backbone.transform()(picture) for picture in pictures])).numpy()
    features = compute(dataset)
    np.testing.assert_allclose(features.values, expected, rtol=1e-4, atol=1e-5)
    assert features.valid.all()
    assert not features.values.flags.writeable


def test_backbone_keeps_its_modes(dataset: Dataset, compute: Compute) -> None:
    backbone = tiny().train()
    frozen = next(module for module in backbone.modules() if isinstance(module, torch.nn.BatchNorm2d)).eval()
    before = backbone.fingerprint
    compute(dataset, backbone=backbone)
    assert backbone.training
    assert not frozen.training
    assert backbone.fingerprint == before


def test_second_call_computes_nothing(dataset: Dataset, compute: Compute) -> None:
    first = compute(dataset)
    changed = (first.folder / "values.npy").stat().st_mtime_ns
    second = compute(dataset, "train+test", batch_size=3)
    assert second.folder == first.folder
    assert (first.folder / "values.npy").stat().st_mtime_ns == changed


def test_splits_fill_one_array(dataset: Dataset, compute: Compute) -> None:
    train = compute(dataset, "train")
    assert train.valid.tolist() == [number % 2 == 0 for number in range(COUNT)]
    kept = train.values[dataset.indices("train")].copy()
    both = compute(dataset, dataset.indices("test")[::-1])
    assert both.folder == train.folder
    assert both.valid.all()
    np.testing.assert_array_equal(both.values[dataset.indices("train")], kept)
    np.testing.assert_allclose(both.values, compute(dataset, cache_dir=dataset.root / "other").values, atol=1e-5)


def test_views_are_augmented_copies_by_seed(dataset: Dataset, compute: Compute) -> None:
    features = compute(dataset, views=2, augment=True, seed=1)
    assert features.values.shape == (COUNT, 2, tiny().num_features)
    assert not np.allclose(features.values[:, 0], features.values[:, 1])
    again = compute(dataset, views=2, augment=True, seed=1, cache_dir=dataset.root / "other", workers=1)
    np.testing.assert_allclose(again.values, features.values, atol=1e-5)
    assert compute(dataset, views=2, augment=True, seed=2).folder != features.folder


def test_key_changes_with_what_changes_features(dataset: Dataset, compute: Compute) -> None:
    backbone = tiny()
    folders = [compute(dataset, backbone=backbone).folder]
    folders.append(compute(dataset, image_size=48).folder)
    folders.append(compute(dataset, views=2).folder)
    folders.append(compute(dataset, precision="bf16").folder)
    with torch.no_grad():
        next(backbone.parameters()).mul_(1.01)
    folders.append(compute(dataset, backbone=backbone).folder)
    Image.new("RGB", (9, 9)).save(dataset.root / "0.png")
    folders.append(compute(dataset).folder)
    assert len(set(folders)) == len(folders)


def test_content_verification_sees_what_sizes_and_times_hide(dataset: Dataset) -> None:
    path = dataset.root / "0.png"
    status = path.stat()
    by_stat, by_content = images_fingerprint(dataset), images_fingerprint(dataset, verify="content")
    content = bytearray(path.read_bytes())
    content[-20] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert images_fingerprint(dataset) == by_stat
    assert images_fingerprint(dataset, verify="content") != by_content


def test_unreadable_images_have_a_reason_and_no_features(dataset: Dataset, compute: Compute) -> None:
    (dataset.root / "3.png").write_bytes(b"")
    (dataset.root / "4.png").unlink()
    for _ in range(2):  # computed, then from the cache
        features = compute(dataset)
        assert [(item.path, item.reason) for item in features.skipped] == [
            ("3.png", "an empty file"),
            ("4.png", "no such file"),
        ]
        assert np.flatnonzero(~features.valid).tolist() == [3, 4]
        assert features.usable(np.array([2, 3, 5])).tolist() == [2, 5]
    assert [item.path for item in compute(dataset, "test").skipped] == ["3.png"]


def test_nothing_but_unreadable_images(dataset: Dataset, compute: Compute) -> None:
    for path in dataset.paths:
        (dataset.root / path).write_bytes(b"no image")
    features = compute(dataset, views=2)
    assert not features.valid.any()
    assert len(features.skipped) == COUNT


def test_no_images(dataset: Dataset, compute: Compute) -> None:
    assert compute(dataset, np.empty(0, dtype=np.int64)).valid.sum() == 0
    empty = Dataset("none", dataset.taxonomy, dataset.root, [], np.empty(0, dtype=np.int64), {})
    assert compute(empty).values.shape == (0, tiny().num_features)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"views": 0}, "views of at least 1, but got 0"),
        ({"batch_size": 0}, "batch_size of at least 1"),
        ({"precision": "fp8"}, "a precision: fp32, bf16, fp16"),
        ({"verify": "faith"}, "a way to verify images: stat, content"),
        ({"images": np.array([COUNT])}, "image indices from 0 to 10"),
        ({"images": "dev"}, "a split of eleven"),
    ],
)
def test_wrong_options(dataset: Dataset, compute: Compute, options: dict[str, object], text: str) -> None:
    with pytest.raises(InputError, match=text):
        compute(dataset, **options)


def test_cache_that_cannot_be_made(dataset: Dataset, compute: Compute, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"to write features, but got not a directory.*CLADEWISE_CACHE"):
        compute(dataset, cache_dir=tmp_path / "file")


def test_disk_that_is_too_small_is_told_before_the_work(
    dataset: Dataset, compute: Compute, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feature_store.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 10}))
    with pytest.raises(InputError, match=r"MB free for features, but got 0 MB.*CLADEWISE_CACHE"):
        compute(dataset)


def test_write_that_fails_leaves_a_good_cache(dataset: Dataset, compute: Compute) -> None:
    before = compute(dataset, "train")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (256, limits[1]))  # the kernel refuses to write on, as a full disk
        with pytest.raises(InputError, match=r"to write features, but got .*what is done stays done"):
            compute(dataset)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert compute(dataset, "train").valid.tolist() == before.valid.tolist()
    np.testing.assert_allclose(
        compute(dataset).values, compute(dataset, cache_dir=dataset.root / "o").values, atol=1e-5
    )


PROGRAM = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from test_features import open_images, tiny
from cladewise.engine.feeding import features
features._SECONDS_BETWEEN_WRITES = 0.0
count = int(sys.argv[4])
found = features.cached_features(open_images(Path(sys.argv[2]), count), None, tiny(), batch_size=4, workers=0,
                                 cache_dir=Path(sys.argv[3]))
assert found.valid.all()
"""


def start(images: Path, cache: Path, count: int) -> subprocess.Popen[bytes]:
    here = str(Path(__file__).parent)
    return subprocess.Popen([sys.executable, "-c", PROGRAM, here, str(images), str(cache), str(count)])


@pytest.mark.slow
def test_killed_run_goes_on_where_it_stopped_to_the_same_bits(tmp_path: Path) -> None:
    count = 2000
    make_images(tmp_path / "images", count)
    process = start(tmp_path / "images", tmp_path / "cache", count)
    while True:
        states = list((tmp_path / "cache").glob("features/*/state.npy"))
        if states and np.load(states[0]).any():
            break
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    done = np.load(states[0]) == feature_store.READ
    assert 0 < done.sum() < count
    half = np.load(states[0].with_name("values.npy"))
    resumed = cached_features(open_images(tmp_path / "images", count), None, tiny(), batch_size=4, workers=0,
                              cache_dir=tmp_path / "cache")  # fmt: skip
    whole = cached_features(open_images(tmp_path / "images", count), None, tiny(), batch_size=4, workers=0,
                            cache_dir=tmp_path / "whole")  # fmt: skip
    np.testing.assert_array_equal(resumed.values[done], half[done])
    np.testing.assert_array_equal(resumed.values, whole.values)


@pytest.mark.slow
def test_processes_at_once_share_the_work_and_agree(tmp_path: Path) -> None:
    make_images(tmp_path / "images", 60)
    processes = [start(tmp_path / "images", tmp_path / "cache", 60) for _ in range(3)]
    assert [process.wait() for process in processes] == [0, 0, 0]
    shared = cached_features(open_images(tmp_path / "images", 60), None, tiny(), cache_dir=tmp_path / "cache")
    alone = cached_features(open_images(tmp_path / "images", 60), None, tiny(), batch_size=4, workers=0,
                            cache_dir=tmp_path / "alone")  # fmt: skip
    np.testing.assert_array_equal(shared.values, alone.values)
