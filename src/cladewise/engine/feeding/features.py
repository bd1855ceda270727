"""Features of a frozen backbone, computed once per image and cached on disk."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch
import torch.utils.data
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from cladewise import progress as progress_bars
from cladewise.backbones import AugmentationOptions, Backbone
from cladewise.cache import cache_folder
from cladewise.datasets.dataset import Dataset, IntArray, Skipped
from cladewise.engine.feeding.contents import (
    Key,
    Keyed,
    KeyedImages,
    Verification,
    decoders,
    file_marks,
    marks,
    view_keys,
)
from cladewise.engine.feeding.feature_store import FeatureStore, Segments
from cladewise.engine.feeding.images import WORTH_A_WORKER, default_workers
from cladewise.engine.feeding.recipes import FEATURES, FILES, FORMAT
from cladewise.engine.feeding.segments import MISSING, Keys
from cladewise.engine.feeding.threads import ordered_map
from cladewise.errors import InputError
from cladewise.runtimes import Precision, at_first_batch, compile

_SECONDS_BETWEEN_WRITES = 10.0
_BYTES_BETWEEN_WRITES = 1 << 26


@dataclasses.dataclass(frozen=True)
class Features:
    """Feature vectors of images of a dataset, gathered from memory-mapped files when they are asked for.

    Args:
        places: Where the vectors of each image of the dataset are, ``[image, view]``; -1 for images without.
        skipped: Requested images that could not be read.
        folder: The folder of the cache.
        segments: The files.
        num_views: Number of views of each image; one that is kept without augmentation stands for all.
    """

    places: IntArray
    skipped: tuple[Skipped, ...]
    folder: Path
    segments: Segments
    num_views: int

    @property
    def num_features(self) -> int:
        """Values per vector."""
        return self.segments.width

    @property
    def valid(self) -> NDArray[np.bool_]:
        """Whether each image of the dataset has features."""
        return (self.places != MISSING).all(1)

    def usable(self, indices: IntArray) -> IntArray:
        """The given images that have features, in the same order."""
        return indices[(self.places[indices] != MISSING).all(1)]

    def rows(
        self, indices: IntArray, views: IntArray | None = None
    ) -> Float[NDArray[np.float32], "image *view feature"]:
        """A copy of the vectors of some images that have features.

        Args:
            indices: The images.
            views: For each image a view, or several; by default all, without a dimension for views if there is one.
        """
        if views is None:
            if self.num_views == 1:
                return self.segments.rows(self.places[indices, 0])
            views = np.broadcast_to(np.arange(self.num_views), (len(indices), self.num_views))
        chosen = views % self.places.shape[1]
        images = indices if chosen.ndim == 1 else indices[:, None]
        return self.segments.rows(self.places[images, chosen])

    def release(self) -> None:
        """Give the memory of the vectors that were read back to the system, which may keep their files cached."""
        self.segments.release()


def cached_features(
    dataset: Dataset,
    images: str | IntArray | None,
    backbone: Backbone,
    *,
    views: int = 1,
    augment: bool = False,
    augmentation: AugmentationOptions | None = None,
    seed: int = 0,
    image_size: int | None = None,
    batch_size: int = 64,
    workers: int | None = None,
    device: torch.device | str | None = None,
    precision: Precision = "fp32",
    runtime: str | None = None,
    verify: Verification = "stat",
    cache_dir: Path | None = None,
    progress: bool = True,
) -> Features:
    """Features of images, read from the cache or computed and added to it.

    There is a folder for each recipe: the backbone with its weights, the transform, ``precision``, and with ``augment``
    the ``seed``. In it every image is found by the content of its file, so that images are computed once whatever
    their names, folders, splits and datasets are; adding some computes those alone. Batch size, device,
    runtime and library versions are not part of the recipe, since they only affect the last digits of features.

    Files are recognised by absolute path, size and modification time, and read again if any of these changed.

    An interrupted computation is resumed. If several processes request features of the same dataset, one computes them
    and the others wait.

    Args:
        dataset: The dataset of the images.
        images: A split (``"train"``, ``"train+val"``), indices, or ``None`` for all.
        backbone: The encoder; always used in evaluation mode.
        views: Number of transformed copies of each image, for methods that compare them.
        augment: Transform at random, as in training.
        augmentation: How to transform at random; see :meth:`~cladewise.backbones.Backbone.transform`.
        seed: Seed of the augmentation. Random transforms depend on it, on the content of the image and on the view.
        image_size: Side of the input in pixels; the backbone's own by default.
        batch_size: Images per forward pass.
        workers: Threads, or with ``augment`` processes, that decode images; ``None`` chooses a number.
        device: Device to compute on, to which the backbone is moved; by default the one that it is on.
        precision: Arithmetic of the encoder: ``fp32``, ``bf16`` or ``fp16``. Features are kept in single precision.
        runtime: Runtime to encode with, see :func:`cladewise.runtimes.compile`.
        verify: ``stat`` relies on sizes and modification times of files; ``content`` reads all of them.
        cache_dir: Folder of caches; by default ``CLADEWISE_CACHE`` of the environment, or the user's cache folder.
        progress: Show a progress bar.

    Raises:
        InputError: An option is out of its range, there is no such split, or the cache is damaged or cannot be written.
    """
    for name, value in (("views", views), ("batch_size", batch_size)):
        if value < 1:
            raise InputError(f"{name} of at least 1", value)
    if precision not in get_args(Precision):
        raise InputError(f"a precision: {', '.join(get_args(Precision))}", repr(precision))
    if verify not in get_args(Verification):
        raise InputError(f"a way to verify images: {', '.join(get_args(Verification))}", repr(verify))
    indices = np.unique(_indices(dataset, images))
    transform = backbone.transform(augment, image_size=image_size, **(augmentation or {}))
    description = {
        "format": FORMAT,
        "backbone": backbone.name,
        "weights": backbone.fingerprint,
        "transform": repr(transform),
        "precision": precision,
        "seed": seed if augment else None,
    }
    cache, kept = cache_dir or cache_folder(), views if augment else 1
    store = _store(cache, backbone, description)
    known = _Known(dataset, indices, store, file_marks(cache / FILES), kept)
    if verify == "stat":
        known.recognise()
    if len(known.pending()):
        with store.lock(_lock_name(dataset)):
            if verify == "stat":
                known.recognise()
            pending = known.pending()
            store.require_space(len(pending) * kept)
            rows = KeyedImages(dataset, pending, transform, store, views=kept, seed=seed if augment else None)
            read = _in_order(rows, workers, batch_size)
            shown = progress_bars.track(read, f"features of {dataset.name}", total=len(pending), shown=progress)
            encode = at_first_batch(
                lambda images: compile(
                    backbone,
                    runtime,
                    precision=precision,
                    device=device,
                    image_size=image_size,
                    check=images,
                    num_images=len(pending) * kept,
                    cache_dir=cache,
                    progress=progress,
                )
            )
            _fill(known, shown, encode, batch_size)
    store.used()
    return Features(known.places(), known.skipped(), store.folder, store.segments, views)


class _Known:
    """Knowledge about the requested images: the content of their files, and which of these have features."""

    def __init__(
        self, dataset: Dataset, indices: IntArray, store: FeatureStore, files: FeatureStore, views: int
    ) -> None:
        self.dataset, self.indices, self.store, self.files, self.views = dataset, indices, store, files, views
        self._contents: Keys = np.zeros((2, len(indices)), dtype=np.uint64)
        self._is_read = np.zeros(len(indices), dtype=np.bool_)
        self._skipped: dict[int, str] = {}

    def recognise(self) -> None:
        """Look up the content of files by their path, size and modification time."""
        segments = self.files.refresh()
        places = segments.find(marks(self.dataset, self.indices))
        self._is_read = places != MISSING
        self._contents[:, self._is_read] = segments.rows(places[self._is_read]).T

    def pending(self) -> IntArray:
        """The images that have to be read: those whose content is not known, and those without features."""
        known = np.flatnonzero(self._is_read)
        done = (self._places(known) != MISSING).all(1)
        known = known[~done]
        failed = self.store.segments.failures(self._contents[:, known])
        waiting = ~self._is_read
        waiting[known] = True
        waiting[known[list(failed)]] = False
        return self.indices[waiting]

    def add(self, image: Keyed) -> None:
        """Note what was read of an image."""
        at = int(np.searchsorted(self.indices, image.index))
        if image.content is not None:
            self._contents[:, at], self._is_read[at] = image.content, True
        if isinstance(image.views, Skipped):
            self._skipped[at] = image.views.reason

    def places(self) -> IntArray:
        """Where the features of every image of the dataset are."""
        places = np.full((len(self.dataset), self.views), MISSING, dtype=np.int64)
        known = np.flatnonzero(self._is_read)
        places[self.indices[known]] = self._places(known)
        return places

    def skipped(self) -> tuple[Skipped, ...]:
        """The requested images that cannot be read, with reasons."""
        known = np.flatnonzero(self._is_read)
        without = known[(self._places(known) == MISSING).any(1)]
        found = self.store.segments.failures(self._contents[:, without])
        reasons = {int(without[at]): reason for at, reason in found.items()} | self._skipped
        paths = self.dataset.paths
        return tuple(Skipped(paths[int(self.indices[at])], reason) for at, reason in sorted(reasons.items()))

    def _places(self, at: IntArray) -> IntArray:
        contents = self._contents[:, at]
        found = [self.store.segments.find(view_keys(contents, view)) for view in range(self.views)]
        return np.stack(found, 1)


def _indices(dataset: Dataset, images: str | IntArray | None) -> IntArray:
    if images is None:
        return np.arange(len(dataset))
    indices = dataset.indices(images) if isinstance(images, str) else np.asarray(images, dtype=np.int64)
    if indices.size and not (indices.min() >= 0 and indices.max() < len(dataset)):
        raise InputError(f"image indices from 0 to {len(dataset) - 1}", f"{indices.min()} to {indices.max()}")
    return indices


def _store(cache: Path, backbone: Backbone, description: dict[str, Any]) -> FeatureStore:
    key = hashlib.sha256(json.dumps(description, sort_keys=True).encode()).hexdigest()[:24]
    # the name is for people who look into the cache
    name = f"{re.sub(r'[^A-Za-z0-9_.-]+', '_', backbone.name[:80])}-{key}"
    about = {"recipe": key, **description, "num_features": backbone.num_features}
    return FeatureStore(cache / FEATURES / name, backbone.num_features, "f4", about, decoder=decoders())


def _lock_name(dataset: Dataset) -> str:
    """The same for requests that are likely to overlap."""
    text = f"{dataset.name}\0{dataset.root}".encode(errors="surrogateescape")
    return hashlib.sha256(text).hexdigest()[:2]


def _in_order(images: KeyedImages, workers: int | None, batch_size: int) -> Iterator[Keyed]:
    """Images in order, read ahead by threads, or by processes where chance needs a generator of its own."""
    if workers is None:
        workers = min(default_workers(), len(images) // WORTH_A_WORKER)
    if not images.is_random:
        return ordered_map(images.__getitem__, range(len(images)), threads=workers, ahead=batch_size + 2 * workers)
    loader = torch.utils.data.DataLoader(images, batch_size=None, num_workers=workers)
    return map(_owned, loader) if workers else iter(loader)


def _owned(image: Keyed) -> Keyed:
    """The image in memory of this process: what a worker shares keeps a file open."""
    views = image.views.clone() if isinstance(image.views, Tensor) else image.views
    return dataclasses.replace(image, views=views)


def _fill(known: _Known, images: Iterable[Keyed], encode: Callable[[Tensor], Tensor], batch_size: int) -> None:
    """Compute and write features in whole batches, so that a resumed run has the batches of an uninterrupted one."""
    writer, waiting = _Writer(known), dict[Key, Tensor]()
    for image in images:
        known.add(image)
        writer.note(image)
        if isinstance(image.views, Tensor) and image.content is not None and not writer.has(image.content):
            waiting.setdefault(image.content, image.views)  # the same image under another name is computed once
            if len(waiting) == batch_size:
                writer.add(list(waiting), _encode_views(encode, list(waiting.values())))
                waiting.clear()
    if waiting:
        writer.add(list(waiting), _encode_views(encode, list(waiting.values())))
    writer.flush()


class _Writer:
    """Collects features, failures and marks of files, and writes them every few seconds or megabytes."""

    def __init__(self, known: _Known) -> None:
        self._store, self._files, self._views = known.store, known.files, known.views
        self._rows: dict[Key, NDArray[np.float32]] = {}
        self._failed: dict[Key, str] = {}
        self._marks: dict[Key, Key] = {}
        self._last = time.monotonic()

    def has(self, content: Key) -> bool:
        """Whether an image was added and is not written yet."""
        return content in self._rows

    def note(self, image: Keyed) -> None:
        """Note a failure and the mark of the file."""
        if image.content is None:
            return
        if image.mark is not None:
            self._marks[image.mark] = image.content
        if isinstance(image.views, Skipped) and image.lasts:
            self._failed[image.content] = image.views.reason

    def add(self, contents: Sequence[Key], rows: Float[NDArray[np.float32], "image view feature"]) -> None:
        """Add the features of a batch."""
        self._rows.update(zip(contents, rows, strict=True))
        size = len(self._rows) * rows[0].nbytes
        if time.monotonic() - self._last >= _SECONDS_BETWEEN_WRITES or size >= _BYTES_BETWEEN_WRITES:
            self.flush()

    def flush(self) -> None:
        """Write everything: features before the marks by which they are found again."""
        if self._rows or self._failed:
            contents = np.array(list(self._rows), dtype=np.uint64).reshape(-1, 2).T
            keys = [view_keys(contents, view) for view in range(self._views)]
            rows = np.stack(list(self._rows.values())) if self._rows else self._store.none[:, None]
            # all views of an image next to each other
            whole = np.stack(keys, 2).reshape(2, -1), rows.reshape(-1, rows.shape[-1])
            self._store.write(*whole, self._failed)
        if self._marks:
            by, contents = (np.array(list(part), dtype=np.uint64) for part in (self._marks, self._marks.values()))
            self._files.write(by.T, contents)
        self._rows, self._failed, self._marks = {}, {}, {}
        self._last = time.monotonic()


def _encode_views(
    encode: Callable[[Tensor], Tensor], images: Sequence[Tensor]
) -> Float[NDArray[np.float32], "image view feature"]:
    """Features of all views of some images, one view of each at a time, which bounds the memory."""
    views = zip(*images, strict=True)
    return np.stack([_encode(encode, torch.stack(view)) for view in views], 1)


def _encode(
    encode: Callable[[Tensor], Tensor], images: Float[Tensor, "image channel height width"]
) -> Float[NDArray[np.float32], "image feature"]:
    """Features of a batch: the only place where the encoder of cached features is called."""
    return encode(images).cpu().numpy()
