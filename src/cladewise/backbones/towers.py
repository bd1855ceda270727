"""Several image encoders in parallel, one per level."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from cladewise.backbones.backbone import Backbone


class Towers(nn.Module):
    """Encoders with separate weights applied to the same images, with features ``[batch, tower, feature]``.

    Example:
        >>> from cladewise import backbones
        >>> towers = Towers([backbones.load("test_resnet", pretrained=False, image_size=32) for _ in range(2)])
        >>> towers(torch.zeros(3, 3, 32, 32)).shape == (3, 2, towers.backbones[0].num_features)
        True
    """

    def __init__(self, backbones: Sequence[Backbone]) -> None:
        super().__init__()
        self.backbones = nn.ModuleList(backbones)

    def forward(self, images: Float[Tensor, "batch channel height width"]) -> Float[Tensor, "batch tower feature"]:
        return torch.stack([backbone(images) for backbone in self.backbones], dim=1)
