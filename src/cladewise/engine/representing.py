"""What a trained network sees in images before it names a class: the vectors that new classes are learnt from."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from cladewise.datasets import Dataset, Skipped
from cladewise.engine.features import cached_features
from cladewise.engine.forward import preferred_device
from cladewise.engine.images import loader
from cladewise.progress import track

if TYPE_CHECKING:
    from cladewise.engine.run import Run

IntArray = NDArray[np.int64]
Space = Literal["own", "encoder"]
"""The vectors that the head turns to its classes from, or those that the encoder gives to the head."""


@dataclasses.dataclass(frozen=True)
class Represented:
    """Vectors of the images that could be read.

    Args:
        vectors: ``[image, view, dim]``, on the CPU.
        index: Which images of the data these are.
        skipped: The others that were asked for, with reasons.
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
) -> Represented:
    """Vectors of some images of a data set.

    With a frozen backbone the features come from the cache, and go there.

    Args:
        run: The trained network.
        dataset: Where the images come from.
        indices: Which of them.
        space: ``"own"``: :meth:`cladewise.heads.Head.represent`; ``"encoder"``: the features that the head is given.
        views: Copies of each image that are transformed at random as in training; 0: one, transformed as in evaluation.
        seed: Seed of the copies.
        progress: Show progress bars.
    """
    device = preferred_device(run.config.training.accelerator)
    classifier = run.classifier.to(device)
    size = run.config.training.batch_size

    def vectors(inputs: Tensor) -> Tensor:
        many = inputs.to(device)
        features = classifier.encode(many.flatten(0, 1))
        seen = features.flatten(1) if space == "encoder" else classifier.head.represent(features)
        return seen.unflatten(0, many.shape[:2]).float().cpu()

    parts: list[Tensor] = []
    if run.config.backbone.freeze:
        features = cached_features(
            dataset,
            indices,
            run.backbone,
            views=max(1, views),
            augment=views > 0,
            seed=seed,
            device=device,
            progress=progress,
        )
        index, skipped = features.usable(indices), features.skipped
        with torch.inference_mode():
            for start in range(0, len(index), size):
                values = torch.from_numpy(features.values[index[start : start + size]]).float()
                parts.append(vectors(values if values.ndim == 3 else values[:, None]))
    else:
        transform = run.backbone.transform(train=views > 0)
        batches = loader(dataset, indices, transform, batch_size=size, seed=seed, views=max(1, views))
        rows: list[IntArray] = []
        unread: list[Skipped] = []
        with torch.inference_mode():
            for batch in track(batches, "representing", shown=progress):
                unread += [image for _, image in batch.skipped]
                if len(batch.nodes):
                    parts.append(vectors(batch.images))
                    rows.append(batch.index.numpy().copy())
        index, skipped = np.concatenate(rows) if rows else indices[:0], tuple(unread)
    found = torch.cat(parts) if parts else torch.zeros(0, max(1, views), 1)
    return Represented(found, index, skipped)
