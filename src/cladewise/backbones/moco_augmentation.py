"""Random colours and blur as in MoCo v2: the only module that imports torchvision, which takes a second."""

from __future__ import annotations

from typing import Any

import torch
from PIL import ImageFilter
from PIL.Image import Image
from torch import nn
from torchvision.transforms import v2
from torchvision.transforms.functional import InterpolationMode


def moco(
    image_size: int, mean: tuple[float, ...], std: tuple[float, ...], *, interpolation: str, smallest: float
) -> v2.Compose:
    """A random crop, resized to a square, with random colours, sometimes grey or blurred, and flipped: MoCo v2."""
    mode = InterpolationMode(interpolation)
    steps = [
        v2.RandomResizedCrop(image_size, scale=(smallest, 1.0), interpolation=mode, antialias=True),
        v2.RandomApply([v2.ColorJitter(0.4, 0.4, 0.4, 0.1)], p=0.8),
        v2.RandomGrayscale(p=0.2),
        v2.RandomApply([Blur(0.1, 2.0)], p=0.5),
        v2.RandomHorizontalFlip(),
    ]
    return v2.Compose([*steps, *_normalised(mean, std)])


class Blur(nn.Module):
    """Gaussian blur of a picture with a random radius, by Pillow, which also takes pictures smaller than the radius.

    Args:
        least: Smallest standard deviation, in pixels.
        most: Largest standard deviation, in pixels.
    """

    def __init__(self, least: float, most: float) -> None:
        super().__init__()
        self.least, self.most = least, most

    def forward(self, picture: Image) -> Image:
        radius = float(torch.empty(()).uniform_(self.least, self.most))
        return picture.filter(ImageFilter.GaussianBlur(radius))

    def extra_repr(self) -> str:
        return f"sigma=({self.least}, {self.most})"


def _normalised(mean: tuple[float, ...], std: tuple[float, ...]) -> list[Any]:
    return [v2.PILToTensor(), v2.ToDtype(torch.float32, scale=True), v2.Normalize(list(mean), list(std))]
