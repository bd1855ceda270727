"""An encoder's evaluation transform as part of a graph: resizing, cropping and normalising of decoded pictures."""

from __future__ import annotations

import dataclasses
from typing import cast

import torch
from jaxtyping import Float, Int, UInt8
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

    The shorter side, or both, are resized to ``side``, the centre is cut out and normalised, as
    :class:`~cladewise.backbones.Transform` does it in evaluation. A side of :math:`n` pixels becomes one of :math:`m`,
    first across and then down,

    .. math:: y_i = \operatorname{clip}_0^{255}\left\lfloor 2^{-22}\sum_j w_{ij} x_j + \tfrac12\right\rfloor,\qquad
        w_{ij} = \operatorname{round}\left(2^{22}\frac{f(t_{ij})}{\sum_k f(t_{ik})}\right),\qquad
        t_{ij} = \frac{(2j+1)m - (2i+1)n}{2\max(n, m)}

    with the filter :math:`f`, which widens when the image shrinks. The sums are matrix products of whole numbers in
    single precision, whose weights are computed in the graph from height and width, so that every runtime can do it:
    resizing operators are not antialiased in some runtimes, and none rounds between the two passes. Only rows and
    columns that the crop keeps are computed.

    Pillow 13 resizes a picture whose height shrinks by more than twice as many pixels as its width down first and then
    across, which earlier versions did not; this module goes across first, always, and some pixels of such pictures
    differ by one grey level. If the shape is kept they are those more than twice as tall as wide; if both sides are
    resized to a square they include many portraits.

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
            used = rows.inputs(support)
            pixels = _across(images.index_select(1, used.clamp(max=rows.size - 1) + rows.cut), columns, support)
            pixels = _down(pixels, rows, used, support)
        return pixels.mul(1 / 255).sub(self.mean).div(self.std)


def _larger(one: int, other: int) -> int:
    """The larger of two sizes, which may be symbolic: ``max`` would compare them, and keep the outcome in a graph."""
    return cast(int, torch.sym_max(one, other))


@dataclasses.dataclass(frozen=True)
class _Axis:
    """One side of an image: all numbers may be symbolic, apart from the last.

    Args:
        cut: Pixels left out at either end.
        size: Pixels between.
        resized: Pixels that they become.
        first: The first of them that is kept.
        kept: Number of those that are kept.
    """

    cut: int
    size: int
    resized: int
    first: int
    kept: int

    @property
    def coarser(self) -> int:
        """The larger of the two numbers of pixels, of which the width of the filter is a multiple."""
        return _larger(self.size, self.resized)

    def inputs(self, support: int) -> Int[Tensor, " input"]:
        """Positions of the inputs on which the kept outputs depend, and of a few more; some may lie beyond the end."""
        return self._window(support, self.kept) + self._starts(torch.full((1,), self.first), support)

    def windows(self, support: int) -> tuple[Int[Tensor, "block input"], Float[Tensor, "block input output"]]:
        """For each block of outputs the positions of its inputs, and the whole numbers that they are multiplied by.

        The last block may go beyond the kept outputs. Weights are in two parts: first all high, then all low.
        """
        outputs = torch.arange(-(-self.kept // _BLOCK) * _BLOCK).view(-1, 1, _BLOCK) + self.first
        inputs = self._window(support, _BLOCK)[None, :, None] + self._starts(outputs[:, :, :1], support)
        offsets = (2 * inputs + 1) * self.resized - (2 * outputs + 1) * self.size
        # in double precision, as Pillow computes them, if the runtime has it
        heights = _filter(offsets.abs().double() / (2 * self.coarser), support)
        heights = torch.where(inputs < self.size, heights, 0.0)
        shares = heights / heights.sum(1, keepdim=True).clamp(min=1e-9) * _FIXED_POINT
        whole = torch.where(shares < 0, -torch.floor(0.5 - shares), torch.floor(shares + 0.5))
        high = torch.floor(whole / _SPLIT + 0.5)
        return inputs.squeeze(2), torch.cat([high, whole - _SPLIT * high], 2).float()

    def _window(self, support: int, outputs: int) -> Int[Tensor, " input"]:
        return torch.arange(((outputs - 1) * self.size + 2 * support * self.coarser) // self.resized + 2)

    def _starts(self, outputs: Tensor, support: int) -> Tensor:
        """The first input of each output."""
        doubled = (2 * outputs + 1) * self.size - 2 * support * self.coarser + self.resized
        return doubled.clamp(min=0) // (2 * self.resized)


def _axis(size: int, short: int, steps: EvaluationSteps) -> _Axis:
    cut = _larger(size - LONGEST_ASPECT * short, 0) // 2
    inner = size - 2 * cut
    resized = steps.side if steps.is_square else steps.side * inner // short
    spare = resized - steps.image_size
    half = spare // 2
    first = half + spare % 2 * (half % 2)  # half of an odd number is rounded to the even one
    return _Axis(cut, inner, resized, first, steps.image_size)


def _across(images: Tensor, columns: _Axis, support: int) -> Tensor:
    """[batch, row, column, channel] to [batch, channel, row, output]."""
    inputs, weights = columns.windows(support)
    inputs = inputs.clamp(max=columns.size - 1) + columns.cut  # positions beyond the end have no weight
    sums = [
        (images.index_select(2, block).permute(0, 3, 1, 2).float() @ factors).unflatten(-1, (2, _BLOCK))
        for block, factors in zip(inputs, weights, strict=True)
    ]
    return _rounded(torch.cat(sums, -1), -2)[..., : columns.kept]


def _down(images: Tensor, rows: _Axis, used: Tensor, support: int) -> Tensor:
    """[batch, channel, row, column] to [batch, channel, output, column]; ``used`` are the positions of the rows."""
    inputs, weights = rows.windows(support)
    inputs = (inputs - used[0]).clamp(max=used.shape[0] - 1)
    sums = [
        (factors.T @ images.index_select(2, block)).unflatten(-2, (2, _BLOCK))
        for block, factors in zip(inputs, weights, strict=True)
    ]
    return _rounded(torch.cat(sums, -2), -3)[..., : rows.kept, :]


def _rounded(sums: Tensor, dim: int) -> Tensor:
    """Sums of high and of low parts, in units of 2⁻²², to the nearest grey level: every step is exact."""
    high, low = sums.unbind(dim)
    return torch.floor((high + torch.floor(low / _SPLIT) + _SPLIT / 2) / _SPLIT).clamp(0, 255)


def _filter(distance: Tensor, support: int) -> Tensor:
    """Height of the filter at a distance of at least 0: linear, or cubic with a = -1/2."""
    if support == 1:
        return (1 - distance).clamp(min=0)
    near = (1.5 * distance - 2.5) * distance * distance + 1
    far = (((distance - 5) * distance + 8) * distance - 4) * -0.5
    return torch.where(distance < 1, near, torch.where(distance < 2, far, 0.0))


def _nearest(images: Tensor, dim: int, axis: _Axis) -> Tensor:
    outputs = torch.arange(axis.kept) + axis.first
    halves = (2 * outputs + 1) * axis.size  # positions in units of 1 / (2 * resized)
    inputs = halves // (2 * axis.resized)
    # Pillow adds up steps in double precision, whose error decides where a position lies exactly between two pixels
    steps = torch.where(torch.arange(axis.resized) == 0, 0.5, 1.0).double() * axis.size / axis.resized
    walked = steps.cumsum(0).index_select(0, outputs)
    between = inputs * (2 * axis.resized) == halves
    return images.index_select(dim, inputs - (between & (walked < inputs)).long() + axis.cut)
