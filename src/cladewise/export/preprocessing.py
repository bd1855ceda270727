"""An encoder's evaluation transform as part of a graph: resizing, cropping and normalising of decoded pictures."""

from __future__ import annotations

import dataclasses
from typing import cast

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from cladewise.backbones import Transform
from cladewise.backbones.transforms import LONGEST_ASPECT, EvaluationSteps
from cladewise.errors import InputError

_FIXED_POINT = 2.0**22
"""Pillow's unit of a weight."""
_SPLIT = 2048.0
"""Weights are split into two parts of eleven bits, whose products with pixels single precision adds without error."""
_BLOCK = 16
"""Outputs that share a window of inputs: a product over the whole side would be mostly zeros."""
_SUPPORT = {"bicubic": 2, "bilinear": 1}
"""Half the width of each filter, in pixels of the coarser of the two images."""


class Preprocessing(nn.Module):
    r"""Decoded pictures to an encoder's input, with the pixels of Pillow.

    The shorter side is resized to ``side``, the centre is cut out and normalised, as
    :class:`~cladewise.backbones.Transform` does it in evaluation. A side of :math:`n` pixels becomes one of :math:`m`,
    first across and then down,

    .. math:: y_i = \operatorname{clip}_0^{255}\left\lfloor 2^{-22}\sum_j w_{ij} x_j + \tfrac12\right\rfloor,\qquad
        w_{ij} = \operatorname{round}\left(2^{22}\frac{f(t_{ij})}{\sum_k f(t_{ik})}\right),\qquad
        t_{ij} = \frac{(2j+1)m - (2i+1)n}{2\max(n, m)}

    with the filter :math:`f`, which widens when the image shrinks. The sums are matrix products of whole numbers in
    single precision, whose weights are computed in the graph from height and width, so that every runtime can do it:
    resizing operators are not antialiased in some runtimes, and none rounds between the two passes. Only rows and
    columns that the crop keeps are computed.

    Pillow 13 resizes pictures more than twice as tall as wide down first and then across, which earlier versions
    did not; this module goes across first, always.

    Args:
        transform: The transform of an encoder in evaluation.

    Shape:
        uint8 [batch, height, width, 3], with at least one row and one column, to float32
        [batch, 3, image_size, image_size].

    Raises:
        InputError: The transform is not that of an evaluation, or cuts out more than it resizes to.

    Example:
        >>> from cladewise.backbones.transforms import evaluation_transform
        >>> transform = evaluation_transform(8, (0.5,) * 3, (0.5,) * 3, crop_ratio=0.875, interpolation="bicubic")
        >>> images = torch.full((1, 20, 30, 3), 255, dtype=torch.uint8)
        >>> Preprocessing(transform)(images).shape, Preprocessing(transform)(images).unique()
        (torch.Size([1, 3, 8, 8]), tensor([1.]))

    References: Pillow, src/libImaging/Resample.c (``precompute_coeffs``, ``normalize_coeffs_8bpc``).
    """

    def __init__(self, transform: Transform) -> None:
        super().__init__()
        steps = transform.steps
        if not isinstance(steps, EvaluationSteps):
            raise InputError("the transform of an encoder in evaluation", type(steps).__name__)
        if steps.image_size > steps.side:
            raise InputError(f"an image cut out of {steps.side} pixels", f"{steps.image_size} pixels")
        self.steps = steps
        self.mean: Tensor
        self.std: Tensor
        self.register_buffer("mean", torch.tensor(steps.mean).view(-1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(steps.std).view(-1, 1, 1), persistent=False)

    def forward(self, images: UInt8[Tensor, "batch height width 3"]) -> Float[Tensor, "batch 3 side side"]:
        height, width = images.shape[1:3]
        short = -_larger(-height, -width)
        rows, columns = (_axis(size, short, self.steps) for size in (height, width))
        if self.steps.interpolation == "nearest":
            pixels = _nearest(_nearest(images, 1, rows), 2, columns).permute(0, 3, 1, 2).float()
        else:
            support = _SUPPORT[self.steps.interpolation]
            used = rows.window(0, rows.outputs, support)
            pixels = _down(_across(images.index_select(1, used.inside(rows)), columns, support), rows, used, support)
        return pixels.mul(1 / 255).sub(self.mean).div(self.std)


def _larger(one: int, other: int) -> int:
    """The larger of two sizes, which may be symbolic: ``max`` would compare them, and keep the outcome in a graph."""
    return cast(int, torch.sym_max(one, other))


@dataclasses.dataclass(frozen=True)
class _Axis:
    """One side of an image: all numbers may be symbolic.

    Args:
        cut: Pixels left out at either end.
        size: Pixels between.
        resized: Pixels that they become.
        first: The first of them that is kept.
        outputs: Number of those that are kept.
    """

    cut: int
    size: int
    resized: int
    first: int
    outputs: int

    def window(self, start: int, stop: int, support: int) -> _Window:
        """The inputs on which the kept outputs from ``start`` to before ``stop`` depend, and a few more."""
        size, resized, coarser = self.size, self.resized, _larger(self.size, self.resized)
        left = (2 * (self.first + start) + 1) * size - 2 * support * coarser + resized
        length = ((stop - start - 1) * size + 2 * support * coarser) // resized + 2
        return _Window(_larger(left, 0) // (2 * resized), length)

    def weights(self, start: int, stop: int, window: _Window, support: int) -> Float[Tensor, "input output"]:
        """The whole numbers by which inputs of a window are multiplied, in two parts: first all high, then all low."""
        inputs = window.positions()[:, None]
        outputs = (torch.arange(start, stop) + self.first)[None, :]
        offsets = (2 * inputs + 1) * self.resized - (2 * outputs + 1) * self.size
        # in double precision, as Pillow does it, where the runtime has it
        heights = _filter(offsets.abs().double() / (2 * _larger(self.size, self.resized)), support)
        heights = torch.where(inputs < self.size, heights, 0.0)
        shares = heights / heights.sum(0) * _FIXED_POINT
        whole = torch.where(shares < 0, -torch.floor(0.5 - shares), torch.floor(shares + 0.5))
        high = torch.floor(whole / _SPLIT + 0.5)
        return torch.cat([high, whole - _SPLIT * high], 1).float()


def _axis(size: int, short: int, steps: EvaluationSteps) -> _Axis:
    cut = _larger(size - LONGEST_ASPECT * short, 0) // 2
    inner = size - 2 * cut
    resized = steps.side * inner // short
    spare = resized - steps.image_size
    half = spare // 2
    first = half + spare % 2 * (half % 2)  # half of an odd number is rounded to the even one
    return _Axis(cut, inner, resized, first, steps.image_size)


@dataclasses.dataclass(frozen=True)
class _Window:
    start: int
    length: int

    def positions(self) -> Tensor:
        return torch.arange(self.length) + self.start

    def inside(self, axis: _Axis) -> Tensor:
        """Indices into the image; positions beyond its end have no weight."""
        return self.positions().clamp(max=axis.size - 1) + axis.cut


def _blocks(outputs: int) -> list[tuple[int, int]]:
    return [(start, min(start + _BLOCK, outputs)) for start in range(0, outputs, _BLOCK)]


def _across(images: Tensor, columns: _Axis, support: int) -> Tensor:
    """[batch, row, column, channel] to [batch, channel, row, output]."""
    found: list[Tensor] = []
    for start, stop in _blocks(columns.outputs):
        window = columns.window(start, stop, support)
        part = images.index_select(2, window.inside(columns)).permute(0, 3, 1, 2).float()
        sums = part @ columns.weights(start, stop, window, support)
        found.append(_rounded(*sums.chunk(2, -1)))
    return torch.cat(found, -1)


def _down(images: Tensor, rows: _Axis, used: _Window, support: int) -> Tensor:
    """[batch, channel, row, column] to [batch, channel, output, column]; the rows are those of a window."""
    found: list[Tensor] = []
    for start, stop in _blocks(rows.outputs):
        window = rows.window(start, stop, support)
        inputs = (window.positions() - used.start).clamp(max=used.length - 1)
        sums = rows.weights(start, stop, window, support).T @ images.index_select(2, inputs)
        found.append(_rounded(*sums.chunk(2, -2)))
    return torch.cat(found, -2)


def _rounded(high: Tensor, low: Tensor) -> Tensor:
    """Sums in units of 2⁻²², to the nearest grey level: every step is exact."""
    return torch.floor((high + torch.floor(low / _SPLIT) + _SPLIT / 2) / _SPLIT).clamp(0, 255)


def _filter(distance: Tensor, support: int) -> Tensor:
    """Height of the filter at a distance of at least 0: linear, or cubic with a = -1/2."""
    if support == 1:
        return (1 - distance).clamp(min=0)
    near = (1.5 * distance - 2.5) * distance * distance + 1
    far = (((distance - 5) * distance + 8) * distance - 4) * -0.5
    return torch.where(distance < 1, near, torch.where(distance < 2, far, 0.0))


def _nearest(images: Tensor, dim: int, axis: _Axis) -> Tensor:
    outputs = torch.arange(axis.outputs) + axis.first
    halves = (2 * outputs + 1) * axis.size  # positions in units of 1 / (2 * resized)
    inputs = halves // (2 * axis.resized)
    # Pillow adds up steps in double precision, whose error decides where a position lies exactly between two pixels
    steps = torch.where(torch.arange(axis.resized) == 0, 0.5, 1.0).double() * axis.size / axis.resized
    walked = steps.cumsum(0).index_select(0, outputs)
    between = inputs * (2 * axis.resized) == halves
    return images.index_select(dim, inputs - (between & (walked < inputs)).long() + axis.cut)
