from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from cladewise import Taxonomy, backbones
from cladewise.backbones import Transform
from cladewise.datasets.dataset import Dataset
from cladewise.engine.feeding.images import Batch, ImageRows, collate, loader

TRANSFORM = backbones.load("test_resnet", pretrained=False, image_size=16).transform(train=True)


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    rng = np.random.default_rng(0)
    for number in range(9):
        Image.fromarray(rng.integers(0, 256, (24, 30, 3), dtype=np.uint8)).save(tmp_path / f"{number}.png")
    (tmp_path / "4.png").write_bytes(b"")
    paths, nodes = [f"{n}.png" for n in range(9)], np.ones(9, dtype=np.int64)
    return Dataset("nine", Taxonomy([-1, 0], ["all", "a"]), tmp_path, paths, nodes, {"all": np.arange(9)})


def images_by_index(batches: object) -> dict[int, torch.Tensor]:
    return {int(at): image for batch in batches for at, image in zip(batch.index, batch.images, strict=True)}  # type: ignore[attr-defined]


@pytest.mark.parametrize("workers", [1, 2])
def test_chance_depends_on_seed_epoch_and_image_and_on_nothing_else(dataset: Dataset, workers: int) -> None:
    here = images_by_index(loader(dataset, np.arange(9), TRANSFORM, batch_size=3, workers=0, seed=5))
    torch.manual_seed(99)
    there = images_by_index(loader(dataset, np.arange(9)[::-1], TRANSFORM, batch_size=2, workers=workers, seed=5))
    assert sorted(here) == sorted(there) == [0, 1, 2, 3, 5, 6, 7, 8]
    assert all(torch.equal(here[at], there[at]) for at in here)


def test_epoch_and_seed_change_the_augmentation_and_workers_that_stay_see_it(dataset: Dataset) -> None:
    batches = loader(dataset, np.arange(3), TRANSFORM, batch_size=3, workers=1, seed=5)
    rows = batches.dataset
    assert isinstance(rows, ImageRows)
    first = images_by_index(batches)
    rows.epoch = 1
    second = images_by_index(batches)
    rows.epoch = 0
    again = images_by_index(batches)
    assert all(torch.equal(first[at], again[at]) and not torch.equal(first[at], second[at]) for at in first)
    other = images_by_index(loader(dataset, np.arange(3), TRANSFORM, batch_size=3, workers=0, seed=6))
    assert not any(torch.equal(first[at], other[at]) for at in first)


def test_global_generator_is_left_alone(dataset: Dataset) -> None:
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    ImageRows(dataset, np.arange(9), TRANSFORM)[0]
    assert torch.equal(torch.rand(2), expected)


def test_views_are_different_copies(dataset: Dataset) -> None:
    (batch,) = loader(dataset, np.array([0, 1]), TRANSFORM, batch_size=4, workers=0, views=3)
    assert batch.images.shape == (2, 3, 3, 16, 16)
    assert not torch.equal(batch.images[0, 0], batch.images[0, 1])


def test_unreadable_images_are_listed_and_not_among_the_others(dataset: Dataset) -> None:
    (batch,) = loader(dataset, np.array([3, 4, 5]), TRANSFORM, batch_size=4, workers=0)
    assert batch.index.tolist() == [3, 5]
    assert batch.nodes.tolist() == [1, 1]
    ((index, skipped),) = batch.skipped
    assert (index, skipped.path, skipped.reason) == (4, "4.png", "an empty file")


def test_batch_of_nothing_but_broken_images_is_empty(dataset: Dataset) -> None:
    (batch,) = loader(dataset, np.array([4]), TRANSFORM, batch_size=4, workers=0)
    assert len(batch) == 0
    assert batch.images.shape[0] == 0
    assert len(batch.skipped) == 1


def test_batch_moves_with_all_it_has(dataset: Dataset) -> None:
    batch = collate([ImageRows(dataset, np.arange(9), TRANSFORM)[position] for position in (0, 4)])
    moved = batch.to("meta")
    assert isinstance(moved, Batch)
    assert {moved.images.device.type, moved.nodes.device.type, moved.index.device.type} == {"meta"}
    assert moved.skipped == batch.skipped


def test_shuffling_is_repeatable(dataset: Dataset) -> None:
    orders = [
        [int(at) for batch in loader(dataset, np.arange(9), TRANSFORM, batch_size=2, workers=0, shuffle=True, seed=seed)
         for at in batch.index]
        for seed in (1, 1, 2)
    ]  # fmt: skip
    assert orders[0] == orders[1] != orders[2]


def test_of_a_thin_picture_the_middle_is_transformed() -> None:
    transform = backbones.load("test_resnet", pretrained=False, image_size=16).transform()
    sizes: list[tuple[int, int]] = []

    def noted(picture: Image.Image) -> torch.Tensor:
        sizes.append(picture.size)
        return transform.steps(picture)

    bounded = Transform(noted, transform.decode_size)  # type: ignore[arg-type]
    for size in [(8000, 1), (1, 8001), (500, 3), (320, 10), (321, 10)]:
        picture = Image.new("RGB", size, "white")
        picture.paste("black", (0, 0, size[0] // 2, size[1]) if size[0] > size[1] else (0, 0, size[0], size[1] // 2))
        halves = bounded(picture)
        assert torch.allclose(halves, transform.steps(picture), atol=0.3 if max(size) % 2 else 1e-6)
    assert sizes == [(32, 1), (1, 33), (96, 3), (320, 10), (321, 10)]


def test_a_long_thin_picture_takes_little_memory(tmp_path: Path) -> None:
    Image.new("RGB", (2_000_000, 1), "white").save(tmp_path / "a.png")  # 100 GB, were it resized as it is
    one = Dataset("one", Taxonomy([-1, 0], ["all", "a"]), tmp_path, ["a.png"], np.ones(1, dtype=np.int64), {})
    for train in (False, True):
        transform = backbones.load("test_resnet", pretrained=False, image_size=224).transform(train=train)
        (batch,) = loader(one, np.arange(1), transform, batch_size=1, workers=0)
        assert batch.images.shape == (1, 3, 224, 224)


@pytest.mark.parametrize("error", [MemoryError(), ValueError("height and width must be > 0"), RuntimeError("no room")])
def test_an_error_of_a_transform_is_a_listed_skip(dataset: Dataset, error: Exception) -> None:
    def fails(picture: Image.Image) -> torch.Tensor:
        if picture.getpixel((0, 0)) == first:
            raise error
        return TRANSFORM(picture)

    first = Image.open(dataset.root / "3.png").getpixel((0, 0))
    (batch,) = loader(dataset, np.array([2, 3, 5]), fails, batch_size=4, workers=0)
    assert batch.index.tolist() == [2, 5]
    ((index, skipped),) = batch.skipped
    assert (index, skipped.path) == (3, "3.png")
    detail = f"{type(error).__name__}: {error}".strip()
    assert skipped.reason == f"an image that cannot be transformed ({detail})"
