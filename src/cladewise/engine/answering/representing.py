"""Vectors of images: what a trained network computes before it scores any class."""

from __future__ import annotations

import dataclasses
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from cladewise.datasets import Dataset, Skipped
from cladewise.engine.answering.forward import over_images
from cladewise.engine.run import Run

IntArray = NDArray[np.int64]
Space = Literal["own", "encoder"]
"""``own``: the vectors that the head computes its scores from; ``encoder``: the features that the head is given."""


@dataclasses.dataclass(frozen=True)
class ImageVectors:
    """Vectors of the images that could be read.

    Args:
        vectors: ``[image, view, dim]``, on the CPU.
        index: Indices of these images in the dataset.
        skipped: Images that could not be read, with reasons.
    """

    vectors: Float[Tensor, "image view dim"]
    index: IntArray
    skipped: tuple[Skipped, ...]


def represent(
    run: Run,
    dataset: Dataset,
    indices: IntArray,
    *,
    space: Space = "own",
    views: int = 0,
    seed: int = 0,
    progress: bool = True,
) -> ImageVectors:
    """Compute vectors of some images of a dataset; features of a frozen backbone are cached.

    Args:
        run: The trained network.
        dataset: The dataset of the images.
        indices: The images.
        space: ``"own"``: :meth:`cladewise.heads.Head.represent`; ``"encoder"``: the features that the head is given.
        views: Copies of each image, transformed at random as in training; 0: one copy, transformed as in evaluation.
        seed: Seed of the random transforms.
        progress: Show progress bars.
    """

    def vectors(encoded: Tensor) -> Tensor:
        features = encoded.flatten(0, 1)
        seen = features.flatten(1) if space == "encoder" else run.classifier.head.represent(features)
        return seen.unflatten(0, encoded.shape[:2]).float().cpu()

    parts, index, skipped = over_images(
        run,
        dataset,
        indices,
        vectors,
        views=max(1, views),
        augment=views > 0,
        seed=seed,
        doing="representing",
        progress=progress,
    )
    found = torch.cat(parts) if parts else torch.zeros(0, max(1, views), 1)
    return ImageVectors(found, index, skipped)
