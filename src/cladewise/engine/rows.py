"""What a run trains on: images decoded as they are needed, or features cached before."""

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
from cladewise.engine.features import Features, cached_features
from cladewise.engine.images import Batch, ImageRows, collate, default_workers
from cladewise.records import RunConfig

IntArray = NDArray[np.int64]
Order = Sampler[int] | Sequence[int]


class Rows(Protocol):
    """Labelled inputs of one split."""

    nodes: IntArray
    """Node of every row."""
    skipped: tuple[Skipped, ...]
    """Images known to be unreadable before any batch is made."""

    def set_epoch(self, epoch: int) -> None:
        """Which pass over the rows comes next; augmentation follows from it."""
        ...

    def __len__(self) -> int: ...

    def loader(self, order: Order, *, batch_size: int, workers: int) -> DataLoader[Any]:
        """Batches of the rows in an order; iterating yields :class:`Batch`."""
        ...


class FeatureRows:
    """Cached features; a batch is one gather. With several cached views each epoch draws one view an image."""

    def __init__(self, dataset: Dataset, indices: IntArray, features: Features, *, seed: int = 0) -> None:
        self.indices = features.usable(indices)
        self.nodes = dataset.nodes[self.indices]
        self.skipped = features.skipped
        self.values, self.seed, self.epoch = features.values, seed, 0

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
            return self.values[rows]
        random = np.random.default_rng((self.seed, self.epoch))
        view = random.integers(self.values.shape[1], size=self.values.shape[0])
        return self.values[rows, view[rows]]

    def all(self) -> Tensor:
        """Every feature vector, ``[row, feature]``; with several views the rows of each view."""
        values = self.values[self.indices]
        return torch.from_numpy(values.reshape(-1, values.shape[-1])).float()

    def loader(self, order: Order, *, batch_size: int, workers: int) -> DataLoader[Any]:
        del workers  # a gather from memory is quicker than handing it to another process
        return DataLoader(self, batch_size=batch_size, sampler=order, collate_fn=_as_it_is)  # type: ignore[arg-type]


class DecodedRows:
    """Images, decoded and augmented by worker processes."""

    def __init__(self, dataset: Dataset, indices: IntArray, transform: Any, *, seed: int = 0) -> None:
        self.nodes = dataset.nodes[indices]
        self.skipped: tuple[Skipped, ...] = ()  # found out batch by batch
        self._rows = ImageRows(dataset, indices, transform, seed=seed)

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


def rows_of(
    config: RunConfig,
    dataset: Dataset,
    split: str,
    backbone: Backbone,
    *,
    train: bool,
    device: torch.device,
    progress: bool,
) -> FeatureRows | DecodedRows:
    """Rows of a split as the configuration wants them: features where the backbone is frozen, else images."""
    indices, wanted = dataset.indices(split), config.backbone
    if not wanted.freeze:
        transform = backbone.transform(train=train, augmentation=config.training.augment)  # type: ignore[arg-type]
        return DecodedRows(dataset, indices, transform, seed=config.seed)
    views = wanted.views if train and wanted.views > 1 else None
    features = cached_features(
        dataset,
        indices,
        backbone,
        views=views or 1,
        augment=views is not None,
        seed=config.seed,
        workers=None if config.training.workers < 0 else config.training.workers,
        device=device,
        progress=progress,
    )
    return FeatureRows(dataset, indices, features, seed=config.seed)


def _as_it_is(batch: Batch) -> Batch:
    return batch
