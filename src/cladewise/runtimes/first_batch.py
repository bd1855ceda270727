"""An encoder that is compiled when its first batch arrives, so that it is checked on the images it is for."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from cladewise.runtimes.encoder import Encoder


def at_first_batch(compiled_for: Callable[[Tensor], Encoder]) -> Callable[[Tensor], Tensor]:
    """A function from images to features that makes its encoder when it is first called.

    Args:
        compiled_for: Makes the encoder, given the first batch.

    Example:
        >>> import torch
        >>> from cladewise import backbones, runtimes
        >>> backbone = backbones.load("test_resnet", pretrained=False, image_size=32)
        >>> encode = runtimes.at_first_batch(lambda images: runtimes.compile(backbone, "torch", check=images))
        >>> encode(torch.zeros(2, 3, 32, 32)).shape
        torch.Size([2, 96])
    """
    made: list[Encoder] = []

    def encode(images: Tensor) -> Tensor:
        if not made:
            made.append(compiled_for(images))
        return made[0](images)

    return encode
