"""From a decoded picture to an encoder's input: resizing, cropping and normalising, and augmentation in training."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from functools import cache
from typing import Literal, TypeAlias, get_args

import numpy as np
import torch
from jaxtyping import Float
from PIL.Image import Image, Resampling
from torch import Tensor

from cladewise.errors import InputError

Augmentation = Literal["crop-flip", "flip", "none"]
Steps: TypeAlias = Callable[[Image], Tensor]

LONGEST_ASPECT = 32
"""Aspect ratio beyond which only the middle of an image is transformed."""
INTERPOLATIONS = {
    "bicubic": Resampling.BICUBIC,
    "bilinear": Resampling.BILINEAR,
    "nearest": Resampling.NEAREST,
}
"""Resampling filters by the names used in encoder configurations."""


@dataclasses.dataclass(frozen=True)
class Transform:
    """Turns a picture into a normalised tensor [channel, height, width].

    Images with an aspect ratio above 32 are cropped to their middle first: resizing the shorter side would make them
    millions of pixels long, only to cut out a square.

    Its ``repr`` contains every step with its settings, so that it can be part of a cache key.

    Args:
        steps: Function from a picture to a tensor.
        decode_size: Side in pixels that the picture should have before the first step, if it has that many: a photo
            from a modern camera may be decoded at a fraction of its size.
    """

    steps: Steps
    decode_size: int

    def __call__(self, picture: Image) -> Tensor:
        return self.steps(_middle(picture))


@dataclasses.dataclass(frozen=True)
class EvaluationSteps:
    """Resize the shorter side, cut out the centre, scale to [0, 1], normalise.

    The result and the ``repr`` are identical to those of torchvision's transforms of the same names, without importing
    torchvision, which takes longer than predicting an image.

    Args:
        side: Length of the shorter side after resizing, in pixels.
        image_size: Side of the square that is cut out, in pixels.
        interpolation: Resampling filter, one of :data:`INTERPOLATIONS`.
        mean: Mean of each channel, of values in [0, 1].
        std: Standard deviation of each channel, of values in [0, 1].
    """

    side: int
    image_size: int
    interpolation: str
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __call__(self, picture: Image) -> Float[Tensor, "channel side side"]:
        short = min(picture.size)
        width, height = (self.side if x == short else int(self.side * x / short) for x in picture.size)
        if (width, height) != picture.size:
            picture = picture.resize((width, height), INTERPOLATIONS[self.interpolation])
        left, top = (round((x - self.image_size) / 2) for x in (width, height))
        picture = picture.crop((left, top, left + self.image_size, top + self.image_size))
        pixels = torch.from_numpy(np.array(picture)).reshape(self.image_size, self.image_size, -1).permute(2, 0, 1)
        mean, std = (_everywhere(values, self.image_size) for values in (self.mean, self.std))
        return pixels.expand(3, -1, -1).to(torch.float32).mul_(1 / 255).sub_(mean).div_(std)

    def __repr__(self) -> str:
        steps = (
            f"Resize(size=[{self.side}], interpolation=InterpolationMode.{self.interpolation.upper()}, antialias=True)",
            f"CenterCrop(size={(self.image_size, self.image_size)})",
            "PILToTensor()",
            "ToDtype(scale=True)",
            f"Normalize(mean={list(self.mean)}, std={list(self.std)}, inplace=False)",
        )
        return "\n      ".join(("Compose(", *steps)) + "\n)"


@cache
def _everywhere(values: tuple[float, ...], side: int) -> Tensor:
    """A value per channel at every pixel, channels innermost: arithmetic without broadcasting is twice as fast."""
    return torch.tensor(values).expand(side, side, len(values)).contiguous().permute(2, 0, 1)


def _middle(picture: Image) -> Image:
    width, height = picture.size
    short, long = sorted((width, height))
    cut = max(0, long - LONGEST_ASPECT * short) // 2  # from both ends, to keep the middle
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
    steps = EvaluationSteps(side, image_size, _known_filter(interpolation), mean, std)
    return Transform(steps, decode_size=2 * side)  # an antialiased resize loses everything above twice the side


def training_transform(
    image_size: int,
    mean: tuple[float, ...],
    std: tuple[float, ...],
    *,
    augmentation: Augmentation,
    crop_ratio: float,
    interpolation: str,
) -> Transform:
    """:func:`evaluation_transform` with random augmentation.

    ``crop-flip`` cuts out a random part (8% to 100% of the area, aspect ratio 3:4 to 4:3) and mirrors half of the time;
    ``flip`` only mirrors; ``none`` is the evaluation transform. Randomness comes from torch's global generator alone.

    Raises:
        InputError: There is no such augmentation.

    References: Szegedy et al., Going Deeper with Convolutions, CVPR 2015 (the random crop).
    """
    if augmentation not in get_args(Augmentation):
        raise InputError(f"an augmentation: {', '.join(get_args(Augmentation))}", repr(augmentation))
    plain = evaluation_transform(image_size, mean, std, crop_ratio=crop_ratio, interpolation=interpolation)
    if augmentation == "none":
        return plain
    from cladewise.backbones import augmentation as random_steps  # imports torchvision, which takes a second

    wanted = _known_filter(interpolation)
    if augmentation == "crop-flip":
        steps = random_steps.crop_and_flip(image_size, mean, std, interpolation=wanted)
        # the smallest crop is 28% of a side long, and must not be enlarged from fewer pixels than there are
        return Transform(steps, decode_size=4 * image_size)
    side = math.floor(image_size / crop_ratio)
    return Transform(random_steps.flip(side, image_size, mean, std, interpolation=wanted), plain.decode_size)


def _known_filter(interpolation: str) -> str:
    """The name of a resampling filter; bicubic for ``random``, which a few timm configurations use in training."""
    return interpolation if interpolation in INTERPOLATIONS else "bicubic"
