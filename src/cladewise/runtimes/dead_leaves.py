"""Images with the statistics of photographs, for checks where no photographs are at hand."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

_DISCS = 120


def dead_leaves(
    num_images: int, image_size: int, mean: tuple[float, ...], std: tuple[float, ...], *, seed: int = 0
) -> Float[Tensor, "image 3 side side"]:
    """Normalised images of discs that cover each other, with many small ones and few large ones.

    Edges, flat areas and the spectrum are those of photographs, which noise does not have. The same arguments give the
    same images.

    Args:
        num_images: How many.
        image_size: Side in pixels.
        mean: Mean of each channel, of values in [0, 1].
        std: Standard deviation of each channel.
        seed: Seed of the discs.

    Example:
        >>> dead_leaves(2, 32, (0.5,) * 3, (0.5,) * 3).shape
        torch.Size([2, 3, 32, 32])

    References: Lee, Mumford and Huang, Occlusion models for natural images, IJCV 2001.
    """
    random = np.random.default_rng(seed)
    images = np.empty((num_images, 3, image_size, image_size), dtype=np.float32)
    for image in images:
        image[:] = random.random((3, 1, 1))
        # the density of radii falls with their third power, from 2% to half of the side
        radii = image_size / np.sqrt(1 / 0.5**2 + random.random(_DISCS) * (1 / 0.02**2 - 1 / 0.5**2))
        centres, colours = random.random((_DISCS, 2)) * image_size, random.random((_DISCS, 3))
        for radius, (row, column), colour in zip(radii, centres, colours, strict=True):
            top, left = (max(0, int(x - radius)) for x in (row, column))
            rows = np.arange(top, min(image_size, int(row + radius) + 2))[:, None]
            columns = np.arange(left, min(image_size, int(column + radius) + 2))
            inside = (rows - row) ** 2 + (columns - column) ** 2 <= radius**2
            part = image[:, top : top + inside.shape[0], left : left + inside.shape[1]]
            part[:, inside] = colour[:, None]
    scale, shift = (np.array(values, dtype=np.float32)[:, None, None] for values in (std, mean))
    return torch.from_numpy((images - shift) / scale)
