"""ResNet-12, the encoder of few-shot learning, with its regularisation by dropping blocks of the feature maps."""

from __future__ import annotations

from typing import ClassVar

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from cladewise.backbones.backbone import ImageInput

NAME = "resnet12"
IMAGE_SIZE = 84
"""Usual side of images in few-shot learning, in pixels."""
WIDTHS = (64, 160, 320, 640)
"""Channels of the four stages."""
LARGEST_BLOCK = 5
SMALL_BLOCK = 2
"""Side of a dropped block: the large one where the last feature map is that large, at 80 pixels and more."""
STEPS_TO_FULL_RATE = 40_000
"""Training steps in which the rate of dropped blocks grows from 0 to the full rate."""
SLOPE = 0.1
"""Slope of the leaky rectifier below 0."""


class ResNet12(nn.Module):
    r"""ResNet-12: images [batch, 3, height, width] → features [batch, 640].

    Four residual blocks of three 3×3 convolutions with 64, 160, 320 and 640 channels, leaky rectifiers, and a maximum
    over 2×2 places after each. In training the first two blocks are followed by dropout of single values, the last two
    by DropBlock: with a keep rate :math:`k` that falls linearly from 1 to :math:`1 - r` in 40,000 steps, blocks of
    :math:`b \times b` of the :math:`h \times h` places of a channel are set to 0, each place starting one with the
    probability

    .. math:: \gamma = \frac{1 - k}{b^2} \cdot \frac{h^2}{(h - b + 1)^2}

    and the other values are multiplied by the inverse of their share. The count of steps is a buffer of each block, so
    that a resumed run continues it.

    Args:
        image_size: Side of the images in pixels, which decides the side of the dropped blocks: 5, or 2 below 80 pixels.
        drop_rate: The rate :math:`r`, and that of the dropout.
        global_pool: How the feature map becomes one vector: ``avg`` or ``max``.

    Example:
        >>> ResNet12()(torch.zeros(2, 3, 32, 32)).shape
        torch.Size([2, 640])

    References: Lee et al., Meta-Learning with Differentiable Convex Optimization, CVPR 2019, arXiv:1904.03758 (the
    network with these widths; Oreshkin et al., TADAM, NeurIPS 2018, have 64, 128, 256, 512); Ghiasi et al., DropBlock,
    NeurIPS 2018, arXiv:1810.12890. Side of the blocks and rate as in the repository guybuk/ANCOR, which drops at a rate
    of 0.1; it counts steps in evaluation too, and not across a resumption.
    """

    num_features = head_hidden_size = WIDTHS[-1]
    pretrained_cfg: ClassVar[dict[str, str]] = {"classifier": "fc"}

    def __init__(self, image_size: int = IMAGE_SIZE, *, drop_rate: float = 0.0, global_pool: str = "avg") -> None:
        super().__init__()
        side = LARGEST_BLOCK if image_size // 2 ** len(WIDTHS) >= LARGEST_BLOCK else SMALL_BLOCK
        blocks = (1, 1, side, side)
        channels = (3, *WIDTHS[:-1])
        self.layer1, self.layer2, self.layer3, self.layer4 = (
            nn.Sequential(ResidualBlock(before, after, drop_rate, block))
            for before, after, block in zip(channels, WIDTHS, blocks, strict=True)
        )
        self.avgpool = nn.AdaptiveMaxPool2d(1) if global_pool == "max" else nn.AdaptiveAvgPool2d(1)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="leaky_relu")

    def forward_features(self, images: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch 640 rows cols"]:
        """The feature map before pooling."""
        for layer in (self.layer1, self.layer2, self.layer3, self.layer4):
            images = layer(images)
        return images

    def forward(self, images: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch 640"]:
        return self.avgpool(self.forward_features(images)).flatten(1)


class ResidualBlock(nn.Module):
    """Three convolutions with a projected shortcut, a maximum over 2×2 places, and dropout.

    Args:
        before: Channels of the input.
        after: Channels of the output.
        drop_rate: Rate at which values are dropped in training.
        block: Side of the squares that are dropped together; 1 for ordinary dropout.
    """

    num_batches_tracked: Tensor

    def __init__(self, before: int, after: int, drop_rate: float, block: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = _convolution(before, after), nn.BatchNorm2d(after)
        self.conv2, self.bn2 = _convolution(after, after), nn.BatchNorm2d(after)
        self.conv3, self.bn3 = _convolution(after, after), nn.BatchNorm2d(after)
        self.downsample = nn.Sequential(nn.Conv2d(before, after, 1, bias=False), nn.BatchNorm2d(after))
        self.act, self.maxpool = nn.LeakyReLU(SLOPE), nn.MaxPool2d(2)
        self.drop_rate, self.block = drop_rate, block
        # a name that readers of checkpoints, which lack it, already know to do without
        self.register_buffer("num_batches_tracked", torch.zeros((), dtype=torch.long))

    def forward(self, x: Float[Tensor, "batch before height width"]) -> Float[Tensor, "batch after rows cols"]:
        y = self.act(self.bn1(self.conv1(x)))
        y = self.act(self.bn2(self.conv2(y)))
        y = self.maxpool(self.act(self.bn3(self.conv3(y)) + self.downsample(x)))
        if not self.training or self.drop_rate == 0:
            return y
        self.num_batches_tracked.add_(1)
        if self.block == 1:
            return F.dropout(y, self.drop_rate, training=True)
        growth = (self.num_batches_tracked / STEPS_TO_FULL_RATE).clamp(max=1)
        return drop_blocks(y, self.drop_rate * growth, self.block)


def drop_blocks(
    x: Float[Tensor, "batch channel height width"], rate: float | Tensor, block: int
) -> Float[Tensor, "batch channel height width"]:
    """Set squares of places of each channel to 0, and scale the others so that the mean is kept.

    Args:
        x: Feature maps.
        rate: Share of the values to drop, in [0, 1), without counting overlaps.
        block: Side of the squares; that of the maps if they are smaller.

    Example:
        >>> drop_blocks(torch.ones(1, 1, 4, 4), 0.0, 2).unique()
        tensor([1.])

    References: Ghiasi et al., DropBlock, NeurIPS 2018, arXiv:1810.12890, algorithm 1.
    """
    height, width = x.shape[-2:]
    down, across = min(block, height), min(block, width)
    room = (height - down + 1, width - across + 1)
    gamma = rate / (down * across) * (height * width) / (room[0] * room[1])
    seeds = (torch.rand(*x.shape[:2], *room, device=x.device) < gamma).to(x.dtype)
    padded = F.pad(seeds, (across - 1, across - 1, down - 1, down - 1))
    kept = 1 - F.max_pool2d(padded, (down, across), stride=1)
    return x * kept * (kept.numel() / kept.sum().clamp(min=1))


def image_input(image_size: int | None = None) -> ImageInput:
    """The input format of the network: ImageNet's mean and deviation, no centre crop."""
    return ImageInput(
        image_size or IMAGE_SIZE, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225), crop_ratio=1.0, interpolation="bilinear"
    )


def _convolution(before: int, after: int) -> nn.Conv2d:
    return nn.Conv2d(before, after, 3, padding=1, bias=False)
