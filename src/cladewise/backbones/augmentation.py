"""Random steps of training transforms.

Pixels, random numbers and texts are those of torchvision's transforms of the same names, in two thirds of the time
and without its import, which takes a second in every worker process.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Protocol

import torch
from jaxtyping import Float
from PIL.Image import Image, Transpose
from torch import Tensor

from cladewise.backbones.normalising import INTERPOLATIONS, composed, normalised, normalising_steps

RATIOS = (3.0 / 4.0, 4.0 / 3.0)
"""Width to height of a random crop."""
_LOG_RATIOS: list[float] = torch.log(torch.tensor(RATIOS)).tolist()
"""In single precision, as torchvision draws between them."""
_TRIES = 10
FLIP = "RandomHorizontalFlip(p=0.5)"


class Cutting(Protocol):
    """A function from a picture to a square one."""

    def __call__(self, picture: Image) -> Image: ...

    @property
    def texts(self) -> list[str]:
        """Its steps in the form of torchvision."""
        ...


@dataclasses.dataclass(frozen=True)
class RandomSteps:
    """Cut out a square, mirror it with probability 1/2, scale to [0, 1], normalise.

    Args:
        cut: Cuts out the square.
        mean: Mean of each channel, of values in [0, 1].
        std: Standard deviation of each channel, of values in [0, 1].
        flip_last: Whether the text names the flip at the end, as recipes of the cache have it.
    """

    cut: Cutting
    mean: tuple[float, ...]
    std: tuple[float, ...]
    flip_last: bool = False

    def __call__(self, picture: Image) -> Float[Tensor, "channel side side"]:
        square = self.cut(picture)
        if torch.rand(1) < 0.5:
            square = square.transpose(Transpose.FLIP_LEFT_RIGHT)
        return normalised(square, self.mean, self.std)

    def __repr__(self) -> str:
        last = normalising_steps(self.mean, self.std)
        return composed([*self.cut.texts, *([*last, FLIP] if self.flip_last else [FLIP, *last])])


@dataclasses.dataclass(frozen=True)
class AreaCrop:
    """A part of random area and shape, resized to a square.

    Args:
        image_size: Side of the square, in pixels.
        interpolation: Resampling filter.
        smallest: Fraction of the area that is kept at least.
    """

    image_size: int
    interpolation: str
    smallest: float

    def __call__(self, picture: Image) -> Image:
        left, top, width, height = self._drawn(*picture.size)
        side = self.image_size
        part = picture.crop((left, top, left + width, top + height))
        return part if part.size == (side, side) else part.resize((side, side), INTERPOLATIONS[self.interpolation])

    def _drawn(self, width: int, height: int) -> tuple[int, int, int, int]:
        """Left and upper edge, width and height of the part; the middle if no part of the shapes drawn fits."""
        for _ in range(_TRIES):
            area = width * height * torch.empty(1).uniform_(self.smallest, 1.0).item()
            ratio = torch.exp(torch.empty(1).uniform_(*_LOG_RATIOS)).item()
            w, h = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
            if 0 < w <= width and 0 < h <= height:
                top = int(torch.randint(0, height - h + 1, (1,)))
                return int(torch.randint(0, width - w + 1, (1,))), top, w, h
        narrow, wide = RATIOS
        w = min(width, round(height * wide))
        h = min(height, round(width / narrow))
        return (width - w) // 2, (height - h) // 2, w, h

    @property
    def texts(self) -> list[str]:
        size, scale = (self.image_size, self.image_size), (self.smallest, 1.0)
        return [f"RandomResizedCrop(size={size}, scale={scale}, ratio={RATIOS}, {_filter(self.interpolation)})"]


@dataclasses.dataclass(frozen=True)
class PaddedCrop:
    """Resizing, black pixels around, and a square at a random place.

    Args:
        sides: Length of the shorter side after resizing, or of both.
        image_size: Side of the square, in pixels.
        interpolation: Resampling filter.
        pad: Pixels on every side.
    """

    sides: tuple[int, ...]
    image_size: int
    interpolation: str
    pad: int

    def __call__(self, picture: Image) -> Image:
        picture = resized(picture, self.sides, self.interpolation)
        width, height = picture.size
        top, left = (self._place(length) - self.pad for length in (height, width))
        return picture.crop((left, top, left + self.image_size, top + self.image_size))  # black where there is nothing

    def _place(self, length: int) -> int:
        spare = length + 2 * self.pad - self.image_size
        return int(torch.randint(0, spare + 1, ())) if spare else 0

    @property
    def texts(self) -> list[str]:
        padding = f"padding={[self.pad] * 4}, " if self.pad else ""
        size = (self.image_size, self.image_size)
        crop = f"RandomCrop(size={size}, {padding}pad_if_needed=False, fill=0, padding_mode=constant)"
        return [f"Resize(size={list(self.sides)}, {_filter(self.interpolation)})", crop]


@dataclasses.dataclass(frozen=True)
class CentreCrop:
    """Resizing and the square in the middle, as in an evaluation.

    Args:
        sides: Length of the shorter side after resizing, or of both.
        image_size: Side of the square, in pixels.
        interpolation: Resampling filter.
    """

    sides: tuple[int, ...]
    image_size: int
    interpolation: str

    def __call__(self, picture: Image) -> Image:
        picture = resized(picture, self.sides, self.interpolation)
        left, top = (round((x - self.image_size) / 2) for x in picture.size)
        return picture.crop((left, top, left + self.image_size, top + self.image_size))

    @property
    def texts(self) -> list[str]:
        size = (self.image_size, self.image_size)
        return [f"Resize(size={list(self.sides)}, {_filter(self.interpolation)})", f"CenterCrop(size={size})"]


def resized(picture: Image, sides: tuple[int, ...], interpolation: str) -> Image:
    """A picture with its shorter side, or both, of a length.

    Args:
        picture: The picture.
        sides: The length of the shorter side, or twice that of both.
        interpolation: Resampling filter, one of :data:`INTERPOLATIONS`.
    """
    side, short = sides[0], min(picture.size)
    is_square = len(sides) > 1
    width, height = (side if x == short or is_square else int(side * x / short) for x in picture.size)
    if (width, height) == picture.size:
        return picture
    return picture.resize((width, height), INTERPOLATIONS[interpolation])


def _filter(interpolation: str) -> str:
    return f"interpolation=InterpolationMode.{interpolation.upper()}, antialias=True"
