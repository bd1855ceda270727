"""Image encoders and the input format that they expect."""

from __future__ import annotations

import dataclasses
import hashlib
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from cladewise.backbones.transforms import (
    PAD,
    SMALLEST,
    Augmentation,
    Resizing,
    Transform,
    evaluation_transform,
    training_transform,
)


@dataclasses.dataclass(frozen=True)
class ImageInput:
    """The input format of an encoder.

    Args:
        image_size: Side of the square input, in pixels.
        mean: Mean of each channel, of values in [0, 1].
        std: Standard deviation of each channel, of values in [0, 1].
        crop_ratio: Share of the shorter side that the evaluation crop keeps.
        interpolation: Interpolation for resizing: ``bicubic`` or ``bilinear``.
        resize: ``shorter-side``, which keeps the shape of the picture, or ``square``.
    """

    image_size: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    crop_ratio: float = 0.875
    interpolation: str = "bicubic"
    resize: Resizing = "shorter-side"


class Backbone(nn.Module):
    """Image encoder: normalised images [batch, channel, height, width] → features [batch, feature].

    An ordinary module, which can be trained end to end or frozen.

    Args:
        name: Name that :func:`cladewise.backbones.load` takes.
        encoder: The network, without a classifier.
        num_features: Width of its features.
        image_input: Its input format.

    Example:
        >>> from cladewise import backbones
        >>> backbone = backbones.load("test_resnet", pretrained=False, image_size=32)
        >>> backbone(torch.zeros(2, 3, 32, 32)).shape == (2, backbone.num_features)
        True
    """

    def __init__(self, name: str, encoder: nn.Module, *, num_features: int, image_input: ImageInput) -> None:
        super().__init__()
        self.name = name
        self.encoder = encoder
        self.num_features = num_features
        self.image_input = image_input

    def forward(self, images: Float[Tensor, "batch channel height width"]) -> Float[Tensor, "batch feature"]:
        return self.encoder(images)

    @property
    def image_size(self) -> int:
        """Side of the square input, in pixels."""
        return self.image_input.image_size

    @property
    def mean(self) -> tuple[float, ...]:
        """Mean of each channel, of values in [0, 1]."""
        return self.image_input.mean

    @property
    def std(self) -> tuple[float, ...]:
        """Standard deviation of each channel, of values in [0, 1]."""
        return self.image_input.std

    @property
    def device(self) -> torch.device:
        """The device of the weights."""
        return next(self.parameters()).device

    @property
    def fingerprint(self) -> str:
        """Hash of the architecture and of every weight, recomputed on each access."""
        digest = hashlib.sha256(f"{self.name}\n{self.encoder!r}".encode())
        for key, value in self.encoder.state_dict().items():
            digest.update(f"\n{key} {value.dtype} {tuple(value.shape)}\n".encode())
            # bytes, because NumPy has no bfloat16
            digest.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
        return digest.hexdigest()

    def transform(
        self,
        train: bool = False,
        *,
        image_size: int | None = None,
        augmentation: Augmentation = "crop-flip",
        pad: int = PAD,
        smallest: float = SMALLEST,
    ) -> Transform:
        """The transform from a PIL image to an input [channel, height, width].

        Args:
            train: Whether to augment, with torch's global random generator.
            image_size: Side in pixels, if different from the backbone's own.
            augmentation: ``crop-flip``, ``pad-crop-flip``, ``moco``, ``flip`` or ``none``; used only with ``train``.
            pad: Pixels that ``pad-crop-flip`` adds on every side.
            smallest: Fraction of the area that ``crop-flip`` and ``moco`` keep at least.

        Raises:
            InputError: There is no such augmentation, or a number is out of its range.
        """
        wanted = self.image_input
        size = image_size or wanted.image_size
        options: dict[str, Any] = {
            "crop_ratio": wanted.crop_ratio,
            "interpolation": wanted.interpolation,
            "resize": wanted.resize,
        }
        if train:
            options |= {"augmentation": augmentation, "pad": pad, "smallest": smallest}
            return training_transform(size, wanted.mean, wanted.std, **options)
        return evaluation_transform(size, wanted.mean, wanted.std, **options)
