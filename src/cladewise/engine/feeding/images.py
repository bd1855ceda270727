"""Batches of images, decoded and transformed by worker processes with reproducible augmentation."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
import torch
import torch.utils.data
from jaxtyping import Float, Int
from numpy.typing import NDArray
from PIL.Image import Image
from torch import Tensor

from cladewise.backbones import Transform
from cladewise.datasets.dataset import Dataset, IntArray, Skipped
from cladewise.datasets.files.decoding import UnreadableImageError, decode
from cladewise.engine.feeding.threads import usable_processors

AnyTransform: TypeAlias = Callable[[Image], Tensor]


@dataclasses.dataclass(frozen=True)
class Batch:
    """A batch of images, and the images that could not be read.

    Args:
        images: The transformed images; with several views of each, [batch, view, channel, height, width].
        nodes: Node of each image.
        index: Index of each image in its dataset. Keep only a copy of it: from a worker process it arrives in shared
            memory, which keeps a file open.
        skipped: Index and reason of each image that could not be read; they are not part of the batch.
    """

    images: Float[Tensor, "batch *view channel height width"]
    nodes: Int[Tensor, " batch"]
    index: Int[Tensor, " batch"]
    skipped: tuple[tuple[int, Skipped], ...] = ()

    def __len__(self) -> int:
        return len(self.index)

    def rows(self, views: int) -> Batch:
        """The batch with one row per view; views of the same image are adjacent."""
        if views == 1:
            return self
        nodes, index = (tensor.repeat_interleave(views) for tensor in (self.nodes, self.index))
        return Batch(self.images.flatten(0, 1), nodes, index, self.skipped)

    def to(self, device: torch.device | str, *, non_blocking: bool = False) -> Batch:
        """The batch on another device."""
        images, nodes, index = (
            tensor.to(device, non_blocking=non_blocking) for tensor in (self.images, self.nodes, self.index)
        )
        return Batch(images, nodes, index, self.skipped)

    def pin_memory(self) -> Batch:
        """The batch in page-locked memory; data loaders call this."""
        return Batch(self.images.pin_memory(), self.nodes.pin_memory(), self.index.pin_memory(), self.skipped)


@dataclasses.dataclass(frozen=True)
class DecodedRow:
    """A transformed image, or the reason why it could not be read."""

    index: int
    node: int
    image: Tensor | Skipped


class ImageRows(torch.utils.data.Dataset[DecodedRow]):
    """Images of a dataset, decoded and transformed on access.

    Random transforms depend only on the seed, the epoch, the image and the view, not on the worker or the order. Global
    random number generators are left unchanged.

    Args:
        dataset: The dataset of the images.
        indices: The images, in order.
        transform: Maps a picture to a tensor.
        seed: Seed of the augmentation.
        views: Number of transformed copies of each image; ``None`` for one without a dimension for views.
    """

    def __init__(
        self, dataset: Dataset, indices: IntArray, transform: AnyTransform, *, seed: int = 0, views: int | None = None
    ) -> None:
        self._root, self._paths, self._nodes = dataset.root, dataset.paths, dataset.nodes
        self._indices = np.asarray(indices, dtype=np.int64)
        self._transform = transform
        self._decode_size = transform.decode_size if isinstance(transform, Transform) else None
        self._seed = seed
        self._views = views
        # in shared memory, so that persistent workers see it change
        self._epoch = torch.zeros((), dtype=torch.int64).share_memory_()

    def __len__(self) -> int:
        return len(self._indices)

    @property
    def epoch(self) -> int:
        """Number of the current pass over the images; to be set before the pass begins."""
        return int(self._epoch)

    @epoch.setter
    def epoch(self, value: int) -> None:
        self._epoch.fill_(value)

    def __getitem__(self, position: int) -> DecodedRow:
        index = int(self._indices[position])
        path = self._paths[index]
        node = int(self._nodes[index])
        try:
            image = self._transformed(index, decode(self._root / path, size=self._decode_size))
        except UnreadableImageError as error:
            return DecodedRow(index, node, Skipped(path, error.reason))
        except Exception as error:  # one image that is too large or breaks a transform must not end the run
            detail = " ".join(f"{type(error).__name__}: {error}".split())[:200]
            return DecodedRow(index, node, Skipped(path, f"an image that cannot be transformed ({detail})"))
        return DecodedRow(index, node, image)

    def _transformed(self, index: int, picture: Image) -> Tensor:
        views: list[Tensor] = []
        with torch.random.fork_rng(devices=[]):
            for view in range(self._views or 1):
                key = np.random.SeedSequence((self._seed, self.epoch, index, view))
                torch.default_generator.manual_seed(int(key.generate_state(1, np.uint64)[0] >> np.uint64(1)))
                views.append(self._transform(picture))
        return views[0] if self._views is None else _stacked(views)


def collate_for_training(rows: Sequence[DecodedRow]) -> Batch:
    """As :func:`collate`, with colour channels innermost in memory.

    That is how pictures are decoded and what the convolutions of an encoder that is trained are given, so that no
    number has to move. A worker process writes the batch into shared memory at once.

    Example:
        >>> collate_for_training([DecodedRow(7, 3, torch.zeros(8, 8, 3).permute(2, 0, 1))]).images.stride()
        (192, 1, 24, 3)
    """
    return _collate(rows, _stacked)


def collate(rows: Sequence[DecodedRow]) -> Batch:
    """Stack the images that could be read; list the others.

    Example:
        >>> batch = collate([DecodedRow(7, 3, torch.zeros(3, 8, 8)), DecodedRow(9, 3, Skipped("b.jpg", "is empty"))])
        >>> batch.index, [skipped.path for _, skipped in batch.skipped]
        (tensor([7]), ['b.jpg'])
    """
    return _collate(rows, torch.stack)


def _collate(rows: Sequence[DecodedRow], stack: Callable[[list[Tensor]], Tensor]) -> Batch:
    read: list[tuple[int, int, Tensor]] = []
    skipped: list[tuple[int, Skipped]] = []
    for row in rows:
        if isinstance(row.image, Skipped):
            skipped.append((row.index, row.image))
        else:
            read.append((row.index, row.node, row.image))
    images = stack([image for _, _, image in read]) if read else torch.empty(0, 3, 0, 0)
    nodes = torch.tensor([node for _, node, _ in read], dtype=torch.int64)
    index = torch.tensor([index for index, _, _ in read], dtype=torch.int64)
    return Batch(images, nodes, index, tuple(skipped))


def _stacked(images: Sequence[Tensor]) -> Tensor:
    """Images [..., channel, height, width] as one tensor, whose channels are innermost if they are in the images."""
    if any(image.stride(-3) != 1 for image in images):
        return torch.stack(list(images))
    innermost: Tensor = torch.utils.data.default_collate([image.movedim(-3, -1) for image in images])
    return innermost.movedim(-1, -3)


ImageLoader: TypeAlias = "torch.utils.data.DataLoader[DecodedRow]"


WORTH_A_WORKER = 16
"""Number of images for which starting one more decoding process is worthwhile."""


def default_workers() -> int:
    """Default number of decoding processes: one per usable processor, at most 8."""
    return min(usable_processors(), 8)


def loader(
    dataset: Dataset,
    indices: IntArray | NDArray[np.int64],
    transform: AnyTransform,
    *,
    batch_size: int,
    workers: int | None = None,
    shuffle: bool = False,
    sampler: torch.utils.data.Sampler[int] | None = None,
    drop_last: bool = False,
    seed: int = 0,
    views: int | None = None,
    pin_memory: bool = False,
) -> ImageLoader:
    """Batches of transformed images; iterating yields :class:`Batch`.

    Args:
        dataset: The dataset of the images.
        indices: The images.
        transform: Maps a picture to a tensor.
        batch_size: Images per batch; fewer if some cannot be read, and in the last batch.
        workers: Decoding processes; 0 decodes in this one, ``None`` chooses by the number of processors and images, so
            that a few images do not wait for processes to start.
        shuffle: Draw a new order in each pass, from ``seed`` by torch's default rules.
        sampler: Yields positions in ``indices``, instead of ``shuffle``.
        drop_last: Drop an incomplete last batch.
        seed: Seed of the augmentation and of the order.
        views: As in :class:`ImageRows`.
        pin_memory: Page-lock the batches, for a faster copy to a GPU.
    """
    if workers is None:
        workers = min(default_workers(), len(indices) // WORTH_A_WORKER)
    options: dict[str, Any] = {"persistent_workers": True, "prefetch_factor": 2} if workers else {}
    return torch.utils.data.DataLoader(
        ImageRows(dataset, indices, transform, seed=seed, views=views),
        batch_size=batch_size,
        shuffle=shuffle if sampler is None else None,
        sampler=sampler,
        num_workers=workers,
        collate_fn=collate,
        drop_last=drop_last,
        pin_memory=pin_memory,
        generator=torch.Generator().manual_seed(seed),
        **options,
    )
