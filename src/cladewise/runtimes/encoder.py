"""An encoder that is ready to run."""

from __future__ import annotations

import dataclasses

import torch
from jaxtyping import Float
from torch import Tensor

from cladewise.errors import InputError
from cladewise.runtimes.runtime import Forward

CHUNK = 16
"""Images that a compiled encoder is given at a time: larger batches are no faster on a CPU and take more memory."""


@dataclasses.dataclass(frozen=True)
class Encoder:
    """Maps images to features; what :func:`~cladewise.runtimes.compile` returns.

    It may be called from any thread, by one at a time. A compiled encoder has a copy of the weights: compile again
    after training.

    Args:
        forward: The function that it calls.
        runtime: ``torch``, or the name of the library that runs it.
        precision: ``fp32``, ``bf16`` or ``fp16``.
        num_features: Width of the features.
        image_size: Side of the input in pixels.
        device: The device of the features.
        note: Why ``auto`` chose torch, in one line; empty if it did not, or if nothing else was to be expected.
    """

    forward: Forward = dataclasses.field(repr=False)
    runtime: str
    precision: str
    num_features: int
    image_size: int
    device: torch.device
    note: str = ""

    def __call__(self, images: Float[Tensor, "image 3 height width"]) -> Float[Tensor, "image feature"]:
        """Features of any number of images, none included, as float32.

        Raises:
            InputError: The images are not of the size that the encoder was compiled for.
        """
        if not len(images):
            return torch.zeros(0, self.num_features, device=self.device)
        if self.runtime == "torch":
            return self.forward(images)
        wanted = (3, self.image_size, self.image_size)
        if images.ndim != 4 or tuple(images.shape[1:]) != wanted:
            raise InputError(f"images [image, {', '.join(map(str, wanted))}]", list(images.shape))
        parts = images.to("cpu", torch.float32).split(CHUNK)
        return torch.cat([self.forward(part.contiguous()) for part in parts])
