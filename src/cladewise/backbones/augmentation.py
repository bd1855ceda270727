"""Random transforms of training images: the only module that imports torchvision, which takes a second."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torchvision.transforms import v2
from torchvision.transforms.functional import InterpolationMode


def crop_and_flip(
    image_size: int, mean: tuple[float, ...], std: tuple[float, ...], *, interpolation: str, smallest: float
) -> v2.Compose:
    """A random crop, resized to a square and flipped with probability 1/2."""
    mode = InterpolationMode(interpolation)
    crop = v2.RandomResizedCrop(image_size, scale=(smallest, 1.0), interpolation=mode, antialias=True)
    return v2.Compose([crop, v2.RandomHorizontalFlip(), *_normalised(mean, std)])


def pad_crop_and_flip(
    sides: Sequence[int],
    image_size: int,
    mean: tuple[float, ...],
    std: tuple[float, ...],
    *,
    interpolation: str,
    pad: int,
) -> v2.Compose:
    """Resizing, black pixels around, a square cut out at random and flipped with probability 1/2."""
    resize = v2.Resize(sides, interpolation=InterpolationMode(interpolation), antialias=True)
    crop = v2.RandomCrop(image_size, padding=pad or None)
    return v2.Compose([resize, crop, v2.RandomHorizontalFlip(), *_normalised(mean, std)])


def flip(
    sides: Sequence[int], image_size: int, mean: tuple[float, ...], std: tuple[float, ...], *, interpolation: str
) -> v2.Compose:
    """The evaluation steps, followed by a flip with probability 1/2."""
    resize = v2.Resize(sides, interpolation=InterpolationMode(interpolation), antialias=True)
    return v2.Compose([resize, v2.CenterCrop(image_size), *_normalised(mean, std), v2.RandomHorizontalFlip()])


def _normalised(mean: tuple[float, ...], std: tuple[float, ...]) -> list[Any]:
    return [v2.PILToTensor(), v2.ToDtype(torch.float32, scale=True), v2.Normalize(list(mean), list(std))]
