"""From a decoded picture to an encoder's input: resizing, cropping and normalising, and augmentation in training."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Literal, TypeAlias, TypedDict, get_args

from jaxtyping import Float
from PIL.Image import Image
from torch import Tensor

from cladewise.backbones.augmentation import AreaCrop, CentreCrop, PaddedCrop, RandomSteps
from cladewise.backbones.normalising import INTERPOLATIONS, composed, normalised, normalising_steps
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
        return normalised(self._cut(picture), self.mean, self.std)

    @property
    def is_square(self) -> bool:
        """Whether both sides are resized to the same length."""
        return self.resize == "square"

    @property
    def _cut(self) -> CentreCrop:
        return CentreCrop(_sides(self.side, self.resize), self.image_size, self.interpolation)

    def __repr__(self) -> str:
        return composed([*self._cut.texts, *normalising_steps(self.mean, self.std)])


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
    wanted = _known_filter(interpolation)
    if augmentation in ("crop-flip", "moco"):
        if augmentation == "crop-flip":
            steps: Steps = RandomSteps(AreaCrop(image_size, wanted, smallest), mean, std)
        else:
            from cladewise.backbones.moco_augmentation import moco  # imports torchvision, which takes a second

            steps = moco(image_size, mean, std, interpolation=wanted, smallest=smallest)
        # the smallest crop is 28% of a side long, and must not be enlarged from fewer pixels than there are
        return Transform(steps, decode_size=max(4 * image_size, math.ceil(image_size / math.sqrt(smallest))))
    sides = _sides(math.floor(image_size / crop_ratio), resize)
    if augmentation == "pad-crop-flip":
        steps = RandomSteps(PaddedCrop(sides, image_size, wanted, pad), mean, std)
    else:
        steps = RandomSteps(CentreCrop(sides, image_size, wanted), mean, std, flip_last=True)
    return Transform(steps, plain.decode_size)


def _sides(side: int, resize: Resizing) -> tuple[int, ...]:
    return (side, side) if resize == "square" else (side,)


def _known_filter(interpolation: str) -> str:
    """The name of a resampling filter; bicubic for ``random``, which a few timm configurations use in training."""
    return interpolation if interpolation in INTERPOLATIONS else "bicubic"
