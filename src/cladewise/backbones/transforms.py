"""From a decoded picture to an encoder's input: resizing, cropping and normalising, and augmentation in training."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from functools import cache
from typing import Literal, TypeAlias, TypedDict, get_args

import numpy as np
import torch
from jaxtyping import Float
from PIL.Image import Image, Resampling
from torch import Tensor

from cladewise.errors import InputError

Augmentation = Literal["crop-flip", "pad-crop-flip", "moco", "flip", "none"]
"""Random changes of training images, see :func:`training_transform`."""
Resizing = Literal["shorter-side", "square"]
"""Which sides of a picture become the wanted length: the shorter one, which keeps its shape, or both."""


class AugmentationOptions(TypedDict, total=False):
    """Arguments of :func:`training_transform` that say how to augment."""

    augmentation: Augmentation
    pad: int
    smallest: float


Steps: TypeAlias = Callable[[Image], Tensor]

PAD = 4
"""Pixels that ``pad-crop-flip`` adds on every side by default, as is usual for CIFAR."""
SMALLEST = 0.08
"""Fraction of the area that ``crop-flip`` keeps at least by default, as is usual for ImageNet."""
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
    """Resize the shorter side or both, cut out the centre, scale to [0, 1], normalise.

    The result and the ``repr`` are identical to those of torchvision's transforms of the same names, without importing
    torchvision, which takes longer than predicting an image.

    Args:
        side: Length of the shorter side, or of both, after resizing, in pixels.
        image_size: Side of the square that is cut out, in pixels.
        interpolation: Resampling filter, one of :data:`INTERPOLATIONS`.
        mean: Mean of each channel, of values in [0, 1].
        std: Standard deviation of each channel, of values in [0, 1].
        resize: ``shorter-side``, which keeps the shape of the picture, or ``square``.
    """

    side: int
    image_size: int
    interpolation: str
    mean: tuple[float, ...]
    std: tuple[float, ...]
    resize: Resizing = "shorter-side"

    def __call__(self, picture: Image) -> Float[Tensor, "channel side side"]:
        short = min(picture.size)
        width, height = (
            self.side if x == short or self.is_square else int(self.side * x / short) for x in picture.size
        )
        if (width, height) != picture.size:
            picture = picture.resize((width, height), INTERPOLATIONS[self.interpolation])
        left, top = (round((x - self.image_size) / 2) for x in (width, height))
        picture = picture.crop((left, top, left + self.image_size, top + self.image_size))
        pixels = torch.from_numpy(np.array(picture)).reshape(self.image_size, self.image_size, -1).permute(2, 0, 1)
        mean, std = (_everywhere(values, self.image_size) for values in (self.mean, self.std))
        return pixels.expand(3, -1, -1).to(torch.float32).mul_(1 / 255).sub_(mean).div_(std)

    @property
    def is_square(self) -> bool:
        """Whether both sides are resized to the same length."""
        return self.resize == "square"

    def __repr__(self) -> str:
        sides = [self.side] * (2 if self.is_square else 1)
        steps = (
            f"Resize(size={sides}, interpolation=InterpolationMode.{self.interpolation.upper()}, antialias=True)",
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
    image_size: int,
    mean: tuple[float, ...],
    std: tuple[float, ...],
    *,
    crop_ratio: float,
    interpolation: str,
    resize: Resizing = "shorter-side",
) -> Transform:
    """Resize the shorter side, or both, to ``image_size / crop_ratio``, cut out the centre, normalise.

    Args:
        image_size: Side of the square result, in pixels.
        mean: Mean of each channel, of values in [0, 1].
        std: Standard deviation of each channel, of values in [0, 1].
        crop_ratio: Share of the shorter side that is kept, in (0, 1].
        interpolation: ``bicubic``, ``bilinear`` or ``nearest``.
        resize: ``shorter-side``, which keeps the shape of the picture, or ``square``.

    Example:
        >>> import PIL.Image
        >>> transform = evaluation_transform(8, (0.5,) * 3, (0.5,) * 3, crop_ratio=0.875, interpolation="bicubic")
        >>> transform(PIL.Image.new("RGB", (30, 20), "white")).unique()
        tensor([1.])
    """
    side = math.floor(image_size / crop_ratio)
    steps = EvaluationSteps(side, image_size, _known_filter(interpolation), mean, std, resize)
    return Transform(steps, decode_size=2 * side)  # an antialiased resize loses everything above twice the side


def training_transform(
    image_size: int,
    mean: tuple[float, ...],
    std: tuple[float, ...],
    *,
    augmentation: Augmentation,
    crop_ratio: float,
    interpolation: str,
    resize: Resizing = "shorter-side",
    pad: int = PAD,
    smallest: float = SMALLEST,
) -> Transform:
    """:func:`evaluation_transform` with random augmentation.

    ``crop-flip`` cuts out a random part (``smallest`` to 100% of the area, aspect ratio 3:4 to 4:3), resizes it to a
    square and mirrors half of the time. ``moco`` also changes brightness, contrast and saturation (by up to 40%) and
    hue (by a tenth of the circle) of 80% of the images, makes 20% grey, and blurs half. ``pad-crop-flip`` resizes as in
    evaluation, adds ``pad`` black pixels on every side, cuts out a square of ``image_size`` pixels at a random place
    and mirrors. ``flip`` only mirrors; ``none`` is the evaluation transform. Randomness comes from torch's global
    generator alone.

    Args:
        image_size: Side of the square result, in pixels.
        mean: Mean of each channel, of values in [0, 1].
        std: Standard deviation of each channel, of values in [0, 1].
        augmentation: The random changes.
        crop_ratio: As in evaluation; ``crop-flip`` and ``moco`` do not use it.
        interpolation: As in evaluation.
        resize: As in evaluation; ``crop-flip`` and ``moco`` do not use it.
        pad: Pixels that ``pad-crop-flip`` adds on every side.
        smallest: Fraction of the area that ``crop-flip`` and ``moco`` keep at least, in (0, 1].

    Raises:
        InputError: There is no such augmentation, or a number is out of its range.

    References: Szegedy et al., Going Deeper with Convolutions, CVPR 2015 (the random crop of any size); He et al., Deep
    Residual Learning for Image Recognition, CVPR 2016, section 4.2 (padding and a crop, for CIFAR); Chen et al.,
    Improved Baselines with Momentum Contrastive Learning, arXiv:2003.04297 (``moco``, with ``smallest=0.2``).
    """
    if augmentation not in get_args(Augmentation):
        raise InputError(f"an augmentation: {', '.join(get_args(Augmentation))}", repr(augmentation))
    if not 0 < smallest <= 1:
        raise InputError("smallest, a fraction of the area, in (0, 1]", smallest)
    if pad < 0:
        raise InputError("pad of at least 0 pixels", pad)
    plain = evaluation_transform(
        image_size, mean, std, crop_ratio=crop_ratio, interpolation=interpolation, resize=resize
    )
    if augmentation == "none":
        return plain
    from cladewise.backbones import augmentation as random_steps  # imports torchvision, which takes a second

    wanted = _known_filter(interpolation)
    if augmentation in ("crop-flip", "moco"):
        made = random_steps.crop_and_flip if augmentation == "crop-flip" else random_steps.moco
        steps = made(image_size, mean, std, interpolation=wanted, smallest=smallest)
        # the smallest crop is 28% of a side long, and must not be enlarged from fewer pixels than there are
        return Transform(steps, decode_size=max(4 * image_size, math.ceil(image_size / math.sqrt(smallest))))
    side = math.floor(image_size / crop_ratio)
    sides = [side, side] if resize == "square" else [side]
    if augmentation == "pad-crop-flip":
        steps = random_steps.pad_crop_and_flip(sides, image_size, mean, std, interpolation=wanted, pad=pad)
    else:
        steps = random_steps.flip(sides, image_size, mean, std, interpolation=wanted)
    return Transform(steps, plain.decode_size)


def _known_filter(interpolation: str) -> str:
    """The name of a resampling filter; bicubic for ``random``, which a few timm configurations use in training."""
    return interpolation if interpolation in INTERPOLATIONS else "bicubic"
