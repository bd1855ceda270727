from __future__ import annotations

import contextlib
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
import torch
from PIL import Image

from cladewise import Taxonomy, backbones
from cladewise.datasets.dataset import Dataset
from cladewise.engine.feeding import contents, feature_store, features
from cladewise.engine.feeding.features import Features, cached_features
from cladewise.errors import InputError

COUNT = 11


def make_images(root: Path, count: int = COUNT, *, first: int = 0) -> None:
    """Images of noise that were made long ago, so that they are recognised by their times."""
    root.mkdir(parents=True, exist_ok=True)
    for number in range(first, first + count):
        noise = np.random.default_rng(number).integers(0, 256, (40, 50, 3), dtype=np.uint8)
        Image.fromarray(noise).save(root / f"{number}.png")
        make_old(root / f"{number}.png")


def make_old(path: Path) -> None:
    os.utime(path, (1_700_000_000, 1_700_000_000))


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


@pytest.fixture
def encoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The number of images in each call of an encoder."""
    sizes: list[int] = []
    encode = features._encode

    def counting(function: Callable[[torch.Tensor], torch.Tensor], images: torch.Tensor) -> object:
        sizes.append(len(images))
        return encode(function, images)

    monkeypatch.setattr(features, "_encode", counting)
    return sizes


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files whose content was read."""
    names: list[str] = []
    whole = contents.opened

    def noting(path: str) -> object:
        names.append(os.path.basename(path))
        return whole(path)

    monkeypatch.setattr(contents, "opened", noting)
    return names


def all_rows(found: Features) -> np.ndarray:
    return found.rows(np.flatnonzero(found.valid))


def naive(dataset: Dataset, backbone: backbones.Backbone) -> np.ndarray:
    pictures = [Image.open(dataset.root / path) for path in dataset.paths]
    with torch.inference_mode():
        return backbone.eval()(torch.stack([backbone.transform()(picture) for picture in pictures])).numpy()


@pytest.mark.parametrize("workers", [0, 2])
def test_features_are_what_the_backbone_says(dataset: Dataset, compute: Compute, workers: int) -> None:
    found = compute(dataset, workers=workers)
    np.testing.assert_allclose(found.rows(np.arange(COUNT)), naive(dataset, tiny()), rtol=1e-4, atol=1e-5)
    assert found.valid.all()
    np.testing.assert_array_equal(found.rows(np.array([7, 2, 7])), found.rows(np.arange(COUNT))[[7, 2, 7]])
    found.release()
    np.testing.assert_allclose(all_rows(found), naive(dataset, tiny()), rtol=1e-4, atol=1e-5)


def test_backbone_keeps_its_modes(dataset: Dataset, compute: Compute) -> None:
    backbone = tiny().train()
    frozen = next(module for module in backbone.modules() if isinstance(module, torch.nn.BatchNorm2d)).eval()
    before = backbone.fingerprint
    compute(dataset, backbone=backbone)
    assert backbone.training
    assert not frozen.training
    assert backbone.fingerprint == before


def test_second_call_computes_and_reads_nothing(
    dataset: Dataset, compute: Compute, encoded: list[int], opened: list[str]
) -> None:
    first = compute(dataset)
    assert (sum(encoded), sorted(opened)) == (COUNT, sorted(dataset.paths))
    second = compute(dataset, "train+test", batch_size=3)
    assert second.folder == first.folder
    assert (sum(encoded), len(opened)) == (COUNT, COUNT)
    np.testing.assert_array_equal(all_rows(second), all_rows(first))


def test_splits_fill_one_folder(dataset: Dataset, compute: Compute, encoded: list[int]) -> None:
    train = compute(dataset, "train")
    assert train.valid.tolist() == [number % 2 == 0 for number in range(COUNT)]
    kept = train.rows(dataset.indices("train"))
    both = compute(dataset, None)
    assert sum(encoded) == COUNT
    assert both.folder == train.folder
    assert both.valid.all()
    np.testing.assert_array_equal(both.rows(dataset.indices("train")), kept)
    np.testing.assert_allclose(all_rows(both), naive(dataset, tiny()), rtol=1e-4, atol=1e-5)


def test_added_images_alone_are_computed(dataset: Dataset, compute: Compute, encoded: list[int]) -> None:
    before = all_rows(compute(dataset))
    files = {path: path.read_bytes() for path in compute(dataset).folder.glob("*.safetensors")}
    encoded.clear()
    make_images(dataset.root, 10, first=COUNT)
    after = compute(open_images(dataset.root, COUNT + 10))
    assert sum(encoded) == 10
    np.testing.assert_array_equal(after.rows(np.arange(COUNT)), before)
    assert all(path.read_bytes() == content for path, content in files.items())
    np.testing.assert_allclose(all_rows(after), naive(open_images(dataset.root, COUNT + 10), tiny()), atol=1e-5)


def test_renamed_moved_split_and_joined_images_are_not_computed_again(
    dataset: Dataset, compute: Compute, encoded: list[int], tmp_path: Path
) -> None:
    before = all_rows(compute(dataset))
    (tmp_path / "moved").mkdir()
    for number in range(COUNT):
        (dataset.root / f"{number}.png").rename(tmp_path / "moved" / f"{COUNT - 1 - number}.png")
    encoded.clear()
    renamed = compute(open_images(tmp_path / "moved"))
    few = compute(Dataset("few", dataset.taxonomy, tmp_path, ["moved/3.png"], np.ones(1, dtype=np.int64), {}))
    assert encoded == []
    np.testing.assert_array_equal(all_rows(renamed), before[::-1])
    np.testing.assert_array_equal(all_rows(few), before[[COUNT - 4]])


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("batch_size", [2, 64])
def test_the_same_content_under_several_names_is_computed_once(
    dataset: Dataset, compute: Compute, encoded: list[int], workers: int, batch_size: int
) -> None:
    for number in (5, 6, 10):
        shutil.copy2(dataset.root / "0.png", dataset.root / f"{number}.png")
    found = compute(dataset, workers=workers, batch_size=batch_size)
    assert sum(encoded) == COUNT - 3
    assert found.valid.all()
    np.testing.assert_allclose(all_rows(found), naive(dataset, tiny()), rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(found.rows(np.array([0, 5, 6, 10])), found.rows(np.array([0, 0, 0, 0])))


def test_views_are_augmented_copies_by_seed_and_content(dataset: Dataset, compute: Compute, encoded: list[int]) -> None:
    found = compute(dataset, views=2, augment=True, seed=1)
    both = all_rows(found)
    assert both.shape == (COUNT, 2, tiny().num_features)
    assert not np.allclose(both[:, 0], both[:, 1])
    assert compute(dataset, views=2, augment=True, seed=2).folder != found.folder
    again = compute(dataset, views=2, augment=True, seed=1, cache_dir=dataset.root / "other", workers=1)
    np.testing.assert_allclose(all_rows(again), both, atol=1e-5)
    turned = Dataset("turned", dataset.taxonomy, dataset.root, dataset.paths[::-1], dataset.nodes, {})
    elsewhere = compute(turned, views=2, augment=True, seed=1, cache_dir=dataset.root / "turned")
    np.testing.assert_allclose(all_rows(elsewhere), both[::-1], atol=1e-5)
    one = np.array([1, 0] * 5 + [1])
    np.testing.assert_array_equal(found.rows(np.arange(COUNT), one), both[np.arange(COUNT), one])
    np.testing.assert_array_equal(found.rows(np.array([4]), np.array([[1, 0, 1]])), both[4][None, [1, 0, 1]])
    encoded.clear()
    np.testing.assert_array_equal(all_rows(compute(dataset, augment=True, seed=1)), both[:, 0])
    assert encoded == []
    np.testing.assert_allclose(all_rows(compute(dataset, views=3, augment=True, seed=1))[:, :2], both, atol=1e-5)


def test_views_without_chance_are_one(dataset: Dataset, compute: Compute, encoded: list[int]) -> None:
    found = compute(dataset, views=2)
    assert sum(encoded) == COUNT
    rows = found.rows(np.arange(COUNT))
    assert rows.shape == (COUNT, 2, tiny().num_features)
    np.testing.assert_array_equal(rows[:, 0], rows[:, 1])
    np.testing.assert_array_equal(all_rows(compute(dataset)), rows[:, 0])
    assert sum(encoded) == COUNT


def test_folder_changes_with_what_changes_features(dataset: Dataset, compute: Compute) -> None:
    backbone = tiny()
    folders = [compute(dataset, backbone=backbone).folder]
    folders.append(compute(dataset, image_size=48).folder)
    folders.append(compute(dataset, views=2, augment=True).folder)
    folders.append(compute(dataset, precision="bf16").folder)
    with torch.no_grad():
        next(backbone.parameters()).mul_(1.01)
    folders.append(compute(dataset, backbone=backbone).folder)
    assert len(set(folders)) == len(folders)


def test_a_changed_image_is_computed_again(dataset: Dataset, compute: Compute, encoded: list[int]) -> None:
    before = compute(dataset)
    encoded.clear()
    Image.new("RGB", (9, 9)).save(dataset.root / "0.png")
    after = compute(dataset)
    assert encoded == [1]
    assert after.folder == before.folder
    assert not np.allclose(after.rows(np.array([0])), before.rows(np.array([0])))
    np.testing.assert_array_equal(after.rows(np.arange(1, COUNT)), before.rows(np.arange(1, COUNT)))


def as_bitmap(path: Path) -> None:
    """Save without compression, so that other pixels take as many bytes."""
    Image.open(path).save(path, format="BMP")
    make_old(path)


def invert(path: Path) -> None:
    """Change the pixels of a bitmap and restore size and time."""
    status, content = path.stat(), path.read_bytes()
    path.write_bytes(content[:100] + bytes(255 - value for value in content[100:]))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def test_content_verification_sees_what_sizes_and_times_hide(
    dataset: Dataset, compute: Compute, encoded: list[int], opened: list[str]
) -> None:
    as_bitmap(dataset.root / "0.png")
    before = compute(dataset)
    invert(dataset.root / "0.png")
    encoded.clear()
    np.testing.assert_array_equal(all_rows(compute(dataset)), all_rows(before))
    assert encoded == []
    opened.clear()
    by_content = compute(dataset, verify="content")
    assert encoded == [1]
    assert len(opened) == COUNT
    assert not np.array_equal(by_content.rows(np.array([0])), before.rows(np.array([0])))


def test_a_file_that_was_just_written_is_not_recognised_by_its_time(
    dataset: Dataset, compute: Compute, encoded: list[int], opened: list[str]
) -> None:
    """As git does: a further change within the resolution of a clock keeps size and time."""
    as_bitmap(dataset.root / "0.png")
    now = time.time()
    os.utime(dataset.root / "0.png", (now, now))
    compute(dataset)
    opened.clear()
    invert(dataset.root / "0.png")
    encoded.clear()
    compute(dataset)
    assert (opened, encoded) == (["0.png"], [1])


def test_unreadable_images_have_a_reason_and_no_features(dataset: Dataset, compute: Compute, opened: list[str]) -> None:
    (dataset.root / "3.png").write_bytes(b"")
    (dataset.root / "4.png").unlink()
    (dataset.root / "5.png").write_bytes((dataset.root / "5.png").read_bytes()[:-100])
    make_old(dataset.root / "5.png")
    for _ in range(2):  # computed, then from the cache
        found = compute(dataset)
        assert [item.path for item in found.skipped] == ["3.png", "4.png", "5.png"]
        assert [item.reason for item in found.skipped[:2]] == ["an empty file", "no such file"]
        assert "truncated" in found.skipped[2].reason
        assert np.flatnonzero(~found.valid).tolist() == [3, 4, 5]
        assert found.usable(np.array([2, 3, 6])).tolist() == [2, 6]
    assert opened.count("5.png") == 1
    assert [item.path for item in compute(dataset, "test").skipped] == ["3.png", "5.png"]
    shutil.copy2(dataset.root / "6.png", dataset.root / "4.png")  # what was missing is looked for again
    assert np.flatnonzero(~compute(dataset).valid).tolist() == [3, 5]


def test_an_unreadable_image_is_tried_again_with_other_decoders(
    dataset: Dataset, compute: Compute, opened: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (dataset.root / "5.png").write_bytes(b"no image")
    make_old(dataset.root / "5.png")
    compute(dataset)
    opened.clear()
    monkeypatch.setattr(features, "decoders", lambda: "another")
    assert [item.path for item in compute(dataset).skipped] == ["5.png"]
    assert opened == ["5.png"]


def test_nothing_but_unreadable_images(dataset: Dataset, compute: Compute) -> None:
    for path in dataset.paths:
        (dataset.root / path).write_bytes(b"no image")
    for _ in range(2):
        found = compute(dataset, views=2, augment=True)
        assert not found.valid.any()
        assert len(found.skipped) == COUNT


def test_no_images(dataset: Dataset, compute: Compute) -> None:
    assert compute(dataset, np.empty(0, dtype=np.int64)).valid.sum() == 0
    empty = Dataset("none", dataset.taxonomy, dataset.root, [], np.empty(0, dtype=np.int64), {})
    assert all_rows(compute(empty)).shape == (0, tiny().num_features)


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
    np.testing.assert_allclose(all_rows(compute(dataset)), naive(dataset, tiny()), rtol=1e-4, atol=1e-5)


def test_caches_are_joined_by_copying(dataset: Dataset, compute: Compute, encoded: list[int], tmp_path: Path) -> None:
    train = compute(dataset, "train")
    test = compute(dataset, "test", cache_dir=tmp_path / "theirs")
    for path in test.folder.glob("*.safetensors"):
        shutil.copy2(path, train.folder)
    encoded.clear()
    both = compute(dataset)
    assert encoded == []
    np.testing.assert_array_equal(both.rows(dataset.indices("test")), test.rows(dataset.indices("test")))
    np.testing.assert_array_equal(both.rows(dataset.indices("train")), train.rows(dataset.indices("train")))


def test_rows_of_another_recipe_are_refused(dataset: Dataset, compute: Compute) -> None:
    found, other = compute(dataset), compute(dataset, precision="bf16")
    shutil.copy2(next(other.folder.glob("*.safetensors")), found.folder)
    with pytest.raises(InputError, match=r"cached rows of .* Move the file into the folder that it comes from"):
        compute(dataset)


def test_many_small_writes_are_merged(
    dataset: Dataset, compute: Compute, encoded: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(features, "_SECONDS_BETWEEN_WRITES", 0.0)
    held = compute(dataset, np.array([0, 1]), batch_size=1)
    before = held.rows(np.array([0, 1]))
    whole = compute(dataset, batch_size=1)
    assert sum(encoded) == COUNT
    assert len(list(whole.folder.glob("*.safetensors"))) < feature_store.MERGED_AT
    np.testing.assert_array_equal(held.rows(np.array([0, 1])), before)  # from files that were moved since
    np.testing.assert_array_equal(whole.rows(np.array([0, 1])), before)
    np.testing.assert_allclose(all_rows(whole), naive(dataset, tiny()), rtol=1e-4, atol=1e-5)
    assert encoded == [1] * COUNT


def hostile(content: bytes) -> dict[str, bytes]:
    """A segment with every kind of damage that its shape can show."""
    header = int.from_bytes(content[:8], "little")
    about = json.loads(content[8 : 8 + header])

    def with_header(changed: dict[str, object]) -> bytes:
        text = json.dumps(changed).encode()
        return len(text).to_bytes(8, "little") + text + content[8 + header :]

    return {
        "empty": b"",
        "short": content[:5],
        "header": content[: 8 + header // 2],
        "cut": content[:-7],
        "longer": content + b"more",
        "zeros": bytes(len(content)),
        "huge header": (1 << 62).to_bytes(8, "little") + content[8:],
        "no JSON": content[:8] + b"{" * header + content[8 + header :],
        "a list": content[:8] + b"[]".ljust(header) + content[8 + header :],
        "no rows": with_header({name: entry for name, entry in about.items() if name != "row"}),
        "type": with_header({**about, "rows": {**about["rows"], "dtype": "F16"}}),
        "shape": with_header({**about, "rows": {**about["rows"], "shape": [-1, 2]}}),
        "offsets": with_header({**about, "rows": {**about["rows"], "data_offsets": "all"}}),
        "row": content[: -2 - 4 * COUNT] + b"\xff" * (4 * COUNT) + content[-2:],
    }


def test_damaged_files_are_named_with_what_to_do(dataset: Dataset, compute: Compute) -> None:
    (path,) = compute(dataset).folder.glob("*.safetensors")
    content = path.read_bytes()
    for name, damaged in hostile(content).items():
        path.write_bytes(damaged)
        with pytest.raises(InputError, match=r"cached features, but got .*Remove the file: it is made again") as told:
            compute(dataset)
        assert path.name in str(told.value), name
    path.unlink()
    np.testing.assert_allclose(all_rows(compute(dataset)), naive(dataset, tiny()), rtol=1e-4, atol=1e-5)


PROGRAM = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from test_features import open_images, tiny
from cladewise.engine.feeding import features
features._SECONDS_BETWEEN_WRITES = 0.0
count = int(sys.argv[4])
found = features.cached_features(open_images(Path(sys.argv[2]), count), None, tiny(), batch_size=4, workers=2,
                                 cache_dir=Path(sys.argv[3]), views=int(sys.argv[5]), augment=sys.argv[5] != "1")
assert found.valid.all()
"""


def start(images: Path, cache: Path, count: int, views: int = 1) -> subprocess.Popen[bytes]:
    words = (Path(__file__).parent, images, cache, count, views)
    return subprocess.Popen([sys.executable, "-c", PROGRAM, *map(str, words)])


@pytest.mark.slow
@pytest.mark.parametrize("views", [1, 2])
def test_killed_run_goes_on_where_it_stopped_to_the_same_bits(tmp_path: Path, views: int) -> None:
    count = 600 // views
    make_images(tmp_path / "images", count)
    dataset, options = open_images(tmp_path / "images", count), {"batch_size": 4, "workers": 0}
    if views > 1:
        options |= {"views": views, "augment": True}
    random, done = np.random.default_rng(0), 0
    for _ in range(3):
        process = start(tmp_path / "images", tmp_path / "cache", count, views)
        while written(tmp_path / "cache") <= done:
            assert process.poll() is None
            time.sleep(0.01)
        time.sleep(random.uniform(0, 0.2))
        process.send_signal(signal.SIGKILL)
        process.wait()
        done = written(tmp_path / "cache")
    assert done < count * views
    resumed = cached_features(dataset, None, tiny(), cache_dir=tmp_path / "cache", **options)  # type: ignore[arg-type]
    whole = cached_features(dataset, None, tiny(), cache_dir=tmp_path / "whole", **options)  # type: ignore[arg-type]
    np.testing.assert_array_equal(all_rows(resumed), all_rows(whole))


def written(cache: Path) -> int:
    """Number of rows, as the reader of the format's authors sees them."""
    rows = 0
    for path in cache.glob("features/*/[!.]*.safetensors"):
        with contextlib.suppress(FileNotFoundError):  # merged meanwhile
            rows += len(safetensors.numpy.load_file(path)["rows"])
    return rows


@pytest.mark.slow
def test_processes_at_once_share_the_work_and_agree(tmp_path: Path) -> None:
    make_images(tmp_path / "images", 60)
    processes = [start(tmp_path / "images", tmp_path / "cache", 60) for _ in range(3)]
    assert [process.wait() for process in processes] == [0, 0, 0]
    shared = cached_features(open_images(tmp_path / "images", 60), None, tiny(), cache_dir=tmp_path / "cache")
    alone = cached_features(open_images(tmp_path / "images", 60), None, tiny(), batch_size=4, workers=0,
                            cache_dir=tmp_path / "alone")  # fmt: skip
    np.testing.assert_array_equal(all_rows(shared), all_rows(alone))
    assert written(tmp_path / "cache") == 60  # none was computed twice
