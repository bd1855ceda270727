from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from cladewise import Taxonomy, backbones
from cladewise.datasets.dataset import Dataset
from cladewise.engine.images import Batch, ImageRows, collate, loader

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
