"""Scores that are too large to keep: the head computes them from cached features whenever they are asked for."""

from __future__ import annotations

import ctypes
import functools
import sys
from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from cladewise.backbones import Backbone, Towers
from cladewise.datasets import Dataset, Skipped
from cladewise.engine.answering.streamed_scores import StreamedScores
from cladewise.engine.devices import preferred_device
from cladewise.engine.feeding.features import cached_features
from cladewise.engine.run import Run
from cladewise.predictions import Prediction
from cladewise.progress import track

IntArray = NDArray[np.int64]

LARGEST_KEPT = 1 << 29
"""Largest size of the scores of a split, in bytes, that is held in memory and kept in the run folder."""
CELLS_AT_ONCE = 1 << 22
"""Number of (image, node) cells that are scored at a time, 16 MB in single precision."""

_PARTS_KEPT = 16  # after which memory is given back to the system


class FeatureScores(StreamedScores):
    """Scores of images of a dataset by a run's head.

    The features are those of the encoder, frozen or trained, from the per-image cache.

    Args:
        run: The run.
        dataset: The data.
        indices: The images.
        progress: Show progress bars.
    """

    def __init__(self, run: Run, dataset: Dataset, indices: IntArray, *, progress: bool) -> None:
        self._device = preferred_device(run.config.training.accelerator)
        self._classifier, self._progress = run.classifier.to(self._device), progress
        encoder, self._shape = _encoder(run)
        self._features = cached_features(dataset, indices, encoder, device=self._device, progress=progress)
        self.index = self._features.usable(indices)
        """Indices of the images whose features could be computed."""
        self.skipped: tuple[Skipped, ...] = self._features.skipped
        """The other images, with reasons."""
        self._bytes_per_image = score_bytes(run, 1)
        self._size = max(1, CELLS_AT_ONCE // run.own_taxonomy.num_nodes)

    @property
    def bytes_per_image(self) -> int:
        """Size of the scores of an image."""
        return self._bytes_per_image

    def parts(self, index: IntArray, doing: str = "scoring") -> Iterator[Prediction]:
        """The predictions of some of the images, as the head makes them, one part after another.

        Args:
            index: Indices in the dataset.
            doing: Title of the progress bar.
        """
        starts = range(0, len(index), self._size)
        for number, start in enumerate(track(starts, doing, shown=self._progress)):
            with torch.inference_mode():
                part = self._predicted(torch.from_numpy(self._features.rows(index[start : start + self._size])))
            yield part
            if number % _PARTS_KEPT == 0:
                self._give_back()
        self._give_back()

    def _give_back(self) -> None:
        self._features.release()
        _trim()

    def _predicted(self, features: Tensor) -> Prediction:
        features = features.to(self._device)
        classifier = self._classifier
        if classifier.end_to_end:
            return classifier.head(features.unflatten(1, self._shape))
        return classifier(features)


@functools.cache
def _system() -> ctypes.CDLL | None:
    return ctypes.CDLL(None) if sys.platform == "linux" else None


def _trim() -> None:
    """Give free memory back to the system.

    Blocks of some megabytes between small ones that stay leave holes in the heap of glibc, which grows by gigabytes
    over many parts although nothing is kept.
    """
    trim = getattr(_system(), "malloc_trim", None)
    if trim is not None:
        trim(0)


def score_bytes(run: Run, num_images: int) -> int:
    """Size of the scores of images by the head of a run."""
    head = run.classifier.head
    with torch.inference_mode():
        features = torch.zeros(1, run.backbone.num_features, device=next(head.parameters()).device)
        tensors = head(features).settled().tensors().values()
    return num_images * sum(tensor.numel() * tensor.element_size() for tensor in tensors)


def _encoder(run: Run) -> tuple[Backbone, tuple[int, ...]]:
    """The encoder of a run with its weights, and the shape of what the head is given per image.

    Several towers count as one encoder with the features of all.
    """
    backbone, towers = run.backbone, run.classifier.encoder
    if not isinstance(towers, Towers):
        return backbone, (backbone.num_features,)
    shape = len(towers.backbones), backbone.num_features
    joined = nn.Sequential(towers, nn.Flatten(1))
    return Backbone(backbone.name, joined, num_features=shape[0] * shape[1], image_input=backbone.image_input), shape
