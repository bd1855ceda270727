"""Features of a frozen backbone, computed once and cached on disk."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import re
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from cladewise import progress as progress_bars
from cladewise.backbones import Backbone
from cladewise.cache import cache_folder
from cladewise.datasets.dataset import Dataset, IntArray, Skipped
from cladewise.engine.feeding.feature_store import READ, FeatureStore
from cladewise.engine.feeding.images import Batch, loader
from cladewise.errors import InputError

Precision = Literal["fp32", "bf16", "fp16"]
Verification = Literal["stat", "content"]

_AUTOCAST = {"bf16": torch.bfloat16, "fp16": torch.float16}
_SECONDS_BETWEEN_WRITES = 1.0
_FORMAT = 1  # incremented whenever the same inputs would give other features


@dataclasses.dataclass(frozen=True)
class Features:
    """Feature vectors of the images of a dataset.

    Args:
        values: [image, feature], or [image, view, feature] with several views: one row per image of the dataset,
            memory-mapped; zeros for images without features.
        valid: Whether each image has features.
        skipped: Requested images that could not be read.
        folder: The folder of the cache.
    """

    values: NDArray[np.float32]
    valid: NDArray[np.bool_]
    skipped: tuple[Skipped, ...]
    folder: Path

    def usable(self, indices: IntArray) -> IntArray:
        """The given images that have features, in the same order."""
        return indices[self.valid[indices]]


def cached_features(
    dataset: Dataset,
    images: str | IntArray | None,
    backbone: Backbone,
    *,
    views: int = 1,
    augment: bool = False,
    seed: int = 0,
    image_size: int | None = None,
    batch_size: int = 64,
    workers: int | None = None,
    device: torch.device | str | None = None,
    precision: Precision = "fp32",
    verify: Verification = "stat",
    cache_dir: Path | None = None,
    progress: bool = True,
) -> Features:
    """Features of images, read from the cache or computed and added to it.

    The key of the cache is a hash of the images, the backbone with its weights, the transform, ``views``,
    ``precision``, and with ``augment`` the ``seed``. Images are identified by relative path, size and modification
    time, so a dataset can be moved as a whole. Batch size, device and library versions are not part of the key, since
    they only affect the last digits of features.

    An interrupted computation is resumed. If several processes request the same features, one computes them and the
    others wait.

    Args:
        dataset: The dataset of the images.
        images: A split (``"train"``, ``"train+val"``), indices, or ``None`` for all. Requests with the same key share
            one array.
        backbone: The encoder; always used in evaluation mode.
        views: Number of transformed copies of each image, for methods that compare them.
        augment: Transform at random, as in training.
        seed: Seed of the augmentation.
        image_size: Side of the input in pixels; the backbone's own by default.
        batch_size: Images per forward pass.
        workers: Processes that decode images; ``None`` chooses a number.
        device: Device to compute on, to which the backbone is moved; by default the one that it is on.
        precision: ``fp32``, or autocast to ``bf16`` or ``fp16``. Features are kept in single precision.
        verify: ``stat`` relies on sizes and modification times of files; ``content`` hashes their content.
        cache_dir: Folder of caches; by default ``CLADEWISE_CACHE`` of the environment, or the user's cache folder.
        progress: Show a progress bar.

    Raises:
        InputError: An option is out of its range, there is no such split, or the cache cannot be written.
    """
    for name, value in (("views", views), ("batch_size", batch_size)):
        if value < 1:
            raise InputError(f"{name} of at least 1", value)
    if precision != "fp32" and precision not in _AUTOCAST:
        raise InputError(f"a precision: fp32, {', '.join(_AUTOCAST)}", repr(precision))
    indices = _indices(dataset, images)
    transform = backbone.transform(augment, image_size=image_size)
    description: dict[str, Any] = {
        "format": _FORMAT,
        "num_images": len(dataset),
        "images": images_fingerprint(dataset, verify=verify),
        "backbone": backbone.name,
        "weights": backbone.fingerprint,
        "transform": repr(transform),
        "views": views,
        "precision": precision,
        "seed": seed if augment else None,
    }
    shape = (len(dataset), *((views,) if views > 1 else ()), backbone.num_features)
    store = FeatureStore(_folder(dataset, backbone, description, cache_dir), shape, description)
    if len(store.pending(indices)):
        with store.lock():
            pending = store.pending(indices)
            store.require_space(len(pending))
            batches = loader(
                dataset,
                pending,
                transform,
                batch_size=batch_size,
                workers=workers,
                seed=seed,
                views=views if views > 1 else None,
            )
            shown = progress_bars.track(batches, f"features of {dataset.name}", shown=progress)
            with _evaluating(backbone):
                _fill(store, shown, backbone.to(device or backbone.device), precision)
    asked = set(indices.tolist())
    skipped = tuple(item for at, item in store.skipped().items() if at in asked)
    return Features(store.values(), store.state == READ, skipped, store.folder)


def images_fingerprint(dataset: Dataset, *, verify: Verification = "stat") -> str:
    """Hash of the paths and files of a dataset; a missing file is hashed as missing.

    Args:
        dataset: The dataset.
        verify: ``stat`` uses size and modification time of each file; ``content`` hashes its content.

    Raises:
        InputError: There is no such way to verify.
    """
    if verify not in ("stat", "content"):
        raise InputError("a way to verify images: stat, content", repr(verify))
    root = os.fspath(dataset.root)
    digest = hashlib.sha256()
    for path in dataset.paths:
        digest.update(f"{path}\0{_file_mark(os.path.join(root, path), verify)}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()


def _file_mark(path: str, verify: Verification) -> str:
    try:
        if verify == "content":
            with open(path, "rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        status = os.stat(path)
    except (OSError, ValueError):
        return "missing"
    return f"{status.st_size} {status.st_mtime_ns}"


def _indices(dataset: Dataset, images: str | IntArray | None) -> IntArray:
    if images is None:
        return np.arange(len(dataset))
    indices = dataset.indices(images) if isinstance(images, str) else np.asarray(images, dtype=np.int64)
    if indices.size and not (indices.min() >= 0 and indices.max() < len(dataset)):
        raise InputError(f"image indices from 0 to {len(dataset) - 1}", f"{indices.min()} to {indices.max()}")
    return indices


def _folder(dataset: Dataset, backbone: Backbone, description: dict[str, Any], cache_dir: Path | None) -> Path:
    key = hashlib.sha256(json.dumps(description, sort_keys=True).encode()).hexdigest()
    # the names are for people who look into the cache
    names = re.sub(r"[^A-Za-z0-9_.-]+", "_", f"{dataset.name[:40]}-{backbone.name[:60]}")
    return (cache_dir or cache_folder()) / "features" / f"{names}-{key[:24]}"


@contextmanager
def _evaluating(backbone: Backbone) -> Generator[None, None, None]:
    modes = [(module, module.training) for module in backbone.modules()]
    backbone.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode


@dataclasses.dataclass(frozen=True)
class _Encoded:
    """Features of a batch without its images, which are large and keep files open."""

    index: IntArray
    rows: NDArray[np.float32]
    skipped: tuple[tuple[int, Skipped], ...]


def _fill(store: FeatureStore, batches: Iterator[Batch], backbone: Backbone, precision: Precision) -> None:
    """Compute and write features in whole batches, so that a resumed run has the batches of an uninterrupted one."""
    done: list[_Encoded] = []
    last = time.monotonic()
    for batch in batches:
        rows = _encode(backbone, batch.images, precision)
        done.append(_Encoded(batch.index.numpy().copy(), rows, batch.skipped))
        if time.monotonic() - last >= _SECONDS_BETWEEN_WRITES:
            _write(store, done)
            done, last = [], time.monotonic()
    _write(store, done)


def _write(store: FeatureStore, done: list[_Encoded]) -> None:
    if done:
        index = np.concatenate([batch.index for batch in done])
        rows = np.concatenate([batch.rows for batch in done if len(batch.rows)] or [np.empty((0,), np.float32)])
        store.write(index, rows, [item for batch in done for item in batch.skipped])


def _encode(
    backbone: Backbone, images: Float[Tensor, "batch *view channel height width"], precision: Precision
) -> NDArray[np.float32]:
    if not len(images):
        return np.empty((0,), dtype=np.float32)
    device = backbone.device
    with (
        torch.inference_mode(),
        torch.autocast(device.type, dtype=_AUTOCAST.get(precision), enabled=precision in _AUTOCAST),
    ):
        # channels last makes convolutions a quarter faster, on CPUs too; one view at a time bounds the memory
        parts = images.flatten(0, -4).split(len(images))
        flat = (part.to(device, non_blocking=True, memory_format=torch.channels_last) for part in parts)
        features = torch.cat([backbone(part).float().cpu() for part in flat])
    return features.unflatten(0, images.shape[:-3]).numpy()
