"""The last steps of every transform: a square picture becomes a normalised tensor."""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from jaxtyping import Float
from PIL.Image import Image, Resampling
from torch import Tensor

INTERPOLATIONS = {
    "bicubic": Resampling.BICUBIC,
    "bilinear": Resampling.BILINEAR,
    "nearest": Resampling.NEAREST,
}
"""Resampling filters by the names used in encoder configurations."""


def normalised(picture: Image, mean: tuple[float, ...], std: tuple[float, ...]) -> Float[Tensor, "channel side side"]:
    """Scale the pixels of a square picture to [0, 1], subtract the mean and divide by the standard deviation.

    In memory the channels are innermost, as in the picture.

    Example:
        >>> import PIL.Image
        >>> normalised(PIL.Image.new("RGB", (2, 2), "white"), (0.5,) * 3, (0.25,) * 3).unique()
        tensor([2.])
    """
    side = picture.width
    pixels = torch.from_numpy(np.array(picture)).reshape(side, side, -1).permute(2, 0, 1)
    centre, spread = (_everywhere(values, side) for values in (mean, std))
    return pixels.expand(3, -1, -1).to(torch.float32).mul_(1 / 255).sub_(centre).div_(spread)


def composed(steps: list[str]) -> str:
    """The text of some steps in the form of torchvision, a part of the keys of caches."""
    return "\n      ".join(("Compose(", *steps)) + "\n)"


def normalising_steps(mean: tuple[float, ...], std: tuple[float, ...]) -> list[str]:
    """The texts of the steps of :func:`normalised`."""
    last = f"Normalize(mean={list(mean)}, std={list(std)}, inplace=False)"
    return ["PILToTensor()", "ToDtype(scale=True)", last]


@cache
def _everywhere(values: tuple[float, ...], side: int) -> Tensor:
    """A value per channel at every pixel, channels innermost: arithmetic without broadcasting is twice as fast."""
    return torch.tensor(values).expand(side, side, len(values)).contiguous().permute(2, 0, 1)
