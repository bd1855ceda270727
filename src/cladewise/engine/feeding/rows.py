"""Training data row by row: images decoded on the fly, or cached features."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Sampler

from cladewise.backbones import Backbone
from cladewise.datasets import Dataset, Skipped
from cladewise.engine.feeding.augmenting import augmentation_of, varied_by
from cladewise.engine.feeding.features import Features, cached_features
from cladewise.engine.feeding.images import Batch, ImageRows, collate_for_training, default_workers
from cladewise.records import RunConfig

IntArray = NDArray[np.int64]
Order = Sampler[int] | Sequence[int]

CELLS_AT_ONCE = 1 << 24
"""Number of values of features in a part of a pass over all of them, 64 MB."""


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
        views: Distinct views per image in a batch, at most as many as are cached; 1 gives no dimension for views.
    """

    def __init__(
        self, dataset: Dataset, indices: IntArray, features: Features, *, seed: int = 0, views: int = 1
    ) -> None:
        self.indices = features.usable(indices)
        self.nodes = dataset.nodes[self.indices]
        self.skipped = features.skipped
        self.features, self.seed, self.epoch, self.views = features, seed, 0, views
        self._num_images, self._drawn = len(dataset), functools.lru_cache(maxsize=1)(self._draw)

    def __len__(self) -> int:
        return len(self.indices)

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __getitems__(self, positions: Sequence[int]) -> Batch:
        rows = self.indices[np.asarray(positions, dtype=np.int64)]
        return Batch(
            torch.from_numpy(self._gather(rows)),
            torch.from_numpy(self.nodes[np.asarray(positions, dtype=np.int64)]),
            torch.from_numpy(rows),
        )

    def _gather(self, rows: IntArray) -> NDArray[np.float32]:
        if self.features.num_views > 1:
            return self.features.rows(rows, self._drawn(self.epoch)[rows])
        return self.features.rows(rows)

    def _draw(self, epoch: int) -> IntArray:
        """The views of every image of the dataset in an epoch."""
        random, count = np.random.default_rng((self.seed, epoch)), self.features.num_views
        if self.views == 1:
            return random.integers(count, size=self._num_images)
        order = random.random((self._num_images, count)).argsort(1)
        return order[:, : self.views]

    def vectors(self) -> Iterator[Float[Tensor, "row feature"]]:
        """All feature vectors, including those of every view, in parts of about :data:`CELLS_AT_ONCE` values."""
        size = max(1, CELLS_AT_ONCE // (self.features.num_features * self.features.num_views))
        for start in range(0, len(self.indices), size):
            part = self.features.rows(self.indices[start : start + size])
            yield torch.from_numpy(part.reshape(-1, part.shape[-1]))

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
            collate_fn=collate_for_training,
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
        transform = backbone.transform(train=train, **augmentation_of(config.training))
        return DecodedRows(dataset, indices, transform, seed=config.seed, views=views)
    cached = wanted.views if train and wanted.views > 1 else None
    features = cached_features(
        dataset,
        indices,
        backbone,
        views=cached or 1,
        augment=cached is not None,
        augmentation=varied_by(config.training),
        seed=SEED_OF_VIEWS,
        workers=None if config.training.workers < 0 else config.training.workers,
        device=device,
        progress=progress,
    )
    return FeatureRows(dataset, indices, features, seed=config.seed, views=views)


def _as_it_is(batch: Batch) -> Batch:
    return batch
