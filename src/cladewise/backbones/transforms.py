"""From a decoded picture to an encoder's input."""

from __future__ import annotations

import dataclasses
import math
from typing import Any, Literal, get_args

import torch
from PIL.Image import Image
from torch import Tensor
from torchvision.transforms import v2
from torchvision.transforms.functional import InterpolationMode

from cladewise.errors import InputError

Augmentation = Literal["crop-flip", "flip", "none"]

LONGEST_ASPECT = 32
"""Aspect ratio beyond which only the middle of an image is transformed."""


@dataclasses.dataclass(frozen=True)
class Transform:
    """A picture becomes a normalised tensor [channel, height, width].

    Where an image is more than 32 times as long as wide (or as wide as long), only its middle is transformed: a resize
    to a given shorter side would make it millions of pixels long, only to cut out a square.

    Its text names every step with its settings, so that it can stand in the key of a cache.

    Args:
        steps: What is done, in order.
        decode_size: Side in pixels that the picture should have before the first step, where it has that many: a photo
            of a modern camera may be decoded at a fraction of its size.
    """

    steps: v2.Compose
    decode_size: int

    def __call__(self, picture: Image) -> Tensor:
        return self.steps(_middle(picture))


def _middle(picture: Image) -> Image:
    width, height = picture.size
    short, long = sorted((width, height))
    cut = max(0, long - LONGEST_ASPECT * short) // 2  # from both ends, so that the middle stays where it is
    if cut == 0:
        return picture
    return picture.crop((cut, 0, width - cut, height) if width > height else (0, cut, width, height - cut))


def evaluation_transform(
    image_size: int, mean: tuple[float, ...], std: tuple[float, ...], *, crop_ratio: float, interpolation: str
) -> Transform:
    """Resize the shorter side to ``image_size / crop_ratio``, cut out the centre, normalise.

    Args:
        image_size: Side of the square result, in pixels.
        mean: Mean of each channel, of values in [0, 1].
        std: Standard deviation of each channel, of values in [0, 1].
        crop_ratio: Share of the shorter side that is kept, in (0, 1].
        interpolation: ``bicubic``, ``bilinear`` or ``nearest``.

    Example:
        >>> import PIL.Image
        >>> transform = evaluation_transform(8, (0.5,) * 3, (0.5,) * 3, crop_ratio=0.875, interpolation="bicubic")
        >>> transform(PIL.Image.new("RGB", (30, 20), "white")).unique()
        tensor([1.])
    """
    side = math.floor(image_size / crop_ratio)
    resize = v2.Resize(side, interpolation=_mode(interpolation), antialias=True)
    # twice the side: what is lost above that, no antialiased resize would have kept
    return Transform(v2.Compose([resize, v2.CenterCrop(image_size), *_normalised(mean, std)]), decode_size=2 * side)


def training_transform(
    image_size: int,
    mean: tuple[float, ...],
    std: tuple[float, ...],
    *,
    augmentation: Augmentation,
    crop_ratio: float,
    interpolation: str,
) -> Transform:
    """As :func:`evaluation_transform`, with what varies from one sight of an image to the next.

    ``crop-flip`` cuts out a random part (8% to 100% of the area, aspect 3:4 to 4:3) and mirrors half of the time;
    ``flip`` only mirrors; ``none`` is the evaluation transform. Chance comes from torch's global generator alone.

    Raises:
        InputError: There is no such augmentation.

    References: Szegedy et al., Going Deeper with Convolutions, CVPR 2015 (the random crop).
    """
    flip = v2.RandomHorizontalFlip()
    if augmentation == "crop-flip":
        crop = v2.RandomResizedCrop(image_size, interpolation=_mode(interpolation), antialias=True)
        # the smallest crop is 28% of a side long, and must not be enlarged from less than there is
        return Transform(v2.Compose([crop, flip, *_normalised(mean, std)]), decode_size=4 * image_size)
    plain = evaluation_transform(image_size, mean, std, crop_ratio=crop_ratio, interpolation=interpolation)
    if augmentation == "flip":
        return Transform(v2.Compose([*plain.steps.transforms, flip]), plain.decode_size)
    if augmentation == "none":
        return plain
    raise InputError(f"an augmentation: {', '.join(get_args(Augmentation))}", repr(augmentation))


def _normalised(mean: tuple[float, ...], std: tuple[float, ...]) -> list[Any]:
    return [v2.PILToTensor(), v2.ToDtype(torch.float32, scale=True), v2.Normalize(list(mean), list(std))]


def _mode(interpolation: str) -> InterpolationMode:
    modes = {
        mode.value: mode for mode in (InterpolationMode.BICUBIC, InterpolationMode.BILINEAR, InterpolationMode.NEAREST)
    }
    # "random" is a training habit of a few timm configurations
    return modes.get(interpolation, InterpolationMode.BICUBIC)
