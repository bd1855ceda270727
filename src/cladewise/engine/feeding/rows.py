"""Training data row by row: images decoded on the fly, or cached features."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Sampler

from cladewise.backbones import Backbone
from cladewise.datasets import Dataset, Skipped
from cladewise.engine.feeding.features import Features, cached_features
from cladewise.engine.feeding.images import Batch, ImageRows, collate, default_workers
from cladewise.records import RunConfig

IntArray = NDArray[np.int64]
Order = Sampler[int] | Sequence[int]


class Rows(Protocol):
    """Labelled inputs of one split."""

    nodes: IntArray
    """Label of each row."""
    indices: IntArray
    """Index of each row's image in the dataset."""
    skipped: tuple[Skipped, ...]
    """Images known to be unreadable before the first batch."""

    def set_epoch(self, epoch: int) -> None:
        """Set the number of the next pass, which determines the augmentation."""
        ...

    def __len__(self) -> int: ...

    def loader(self, order: Order, *, batch_size: int, workers: int) -> DataLoader[Any]:
        """Batches of the rows in an order; iterating yields :class:`Batch`."""
        ...


class FeatureRows:
    """Cached features; a batch is one gather. With several cached views, each epoch draws some of each image.

    Args:
        dataset: The dataset of the images.
        indices: The images.
        features: Their cached features.
        seed: Seed of the draws of views.
        views: Views per image in a batch, distinct if enough are cached; 1 gives no dimension for views.
    """

    def __init__(
        self, dataset: Dataset, indices: IntArray, features: Features, *, seed: int = 0, views: int = 1
    ) -> None:
        self.indices = features.usable(indices)
        self.nodes = dataset.nodes[self.indices]
        self.skipped = features.skipped
        self.values, self.seed, self.epoch, self.views = features.values, seed, 0, views

    def __len__(self) -> int:
        return len(self.indices)

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __getitems__(self, positions: Sequence[int]) -> Batch:
        rows = self.indices[np.asarray(positions, dtype=np.int64)]
        return Batch(
            torch.from_numpy(self._gather(rows)).float(),
            torch.from_numpy(self.nodes[np.asarray(positions, dtype=np.int64)]),
            torch.from_numpy(rows),
        )

    def _gather(self, rows: IntArray) -> NDArray[np.float32]:
        if self.values.ndim == 2:
            one = self.values[rows]
            return one if self.views == 1 else np.repeat(one[:, None], self.views, 1)
        random = np.random.default_rng((self.seed, self.epoch))
        count = self.values.shape[1]
        if self.views == 1:
            view = random.integers(count, size=self.values.shape[0])
            return self.values[rows, view[rows]]
        order = random.random((self.values.shape[0], count)).argsort(1)
        return self.values[rows[:, None], order[rows][:, np.arange(self.views) % count]]

    def all(self) -> Tensor:
        """All feature vectors, ``[row, feature]``, including those of every view."""
        values = self.values[self.indices]
        return torch.from_numpy(values.reshape(-1, values.shape[-1])).float()

    def loader(self, order: Order, *, batch_size: int, workers: int) -> DataLoader[Any]:
        del workers  # a gather from memory is faster than passing it between processes
        return DataLoader(self, batch_size=batch_size, sampler=order, collate_fn=_as_it_is)  # type: ignore[arg-type]


class DecodedRows:
    """Images, decoded and augmented by worker processes."""

    def __init__(self, dataset: Dataset, indices: IntArray, transform: Any, *, seed: int = 0, views: int = 1) -> None:
        self.nodes = dataset.nodes[indices]
        self.indices = indices
        self.skipped: tuple[Skipped, ...] = ()  # only known batch by batch
        self._rows = ImageRows(dataset, indices, transform, seed=seed, views=views if views > 1 else None)

    def __len__(self) -> int:
        return len(self._rows)

    def set_epoch(self, epoch: int) -> None:
        self._rows.epoch = epoch

    def loader(self, order: Order, *, batch_size: int, workers: int) -> DataLoader[Any]:
        workers = default_workers() if workers < 0 else workers
        return DataLoader(
            self._rows,
            batch_size=batch_size,
            sampler=order,
            num_workers=workers,
            persistent_workers=workers > 0,
            collate_fn=collate,
            pin_memory=torch.cuda.is_available(),
        )


SEED_OF_VIEWS = 0
"""Seed of cached views, the same for all runs, so that they are computed only once."""


def rows_of(
    config: RunConfig,
    dataset: Dataset,
    split: str,
    backbone: Backbone,
    *,
    train: bool,
    device: torch.device,
    progress: bool,
    views: int = 1,
) -> FeatureRows | DecodedRows:
    """Rows of a split for a configuration: features if the backbone is frozen, otherwise images.

    ``views`` is the number of views per image in a batch, for methods that compare several.
    """
    indices, wanted = dataset.indices(split), config.backbone
    if not wanted.freeze:
        transform = backbone.transform(train=train, augmentation=config.training.augment)  # type: ignore[arg-type]
        return DecodedRows(dataset, indices, transform, seed=config.seed, views=views)
    cached = wanted.views if train and wanted.views > 1 else None
    features = cached_features(
        dataset,
        indices,
        backbone,
        views=cached or 1,
        augment=cached is not None,
        seed=SEED_OF_VIEWS,
        workers=None if config.training.workers < 0 else config.training.workers,
        device=device,
        progress=progress,
    )
    return FeatureRows(dataset, indices, features, seed=config.seed, views=views)


def _as_it_is(batch: Batch) -> Batch:
    return batch
