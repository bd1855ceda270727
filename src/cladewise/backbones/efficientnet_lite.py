"""EfficientNet-Lite0 in plain torch: the default encoder, built without importing timm or torchvision.

Importing timm takes longer than predicting an image, so the bundled network does not need it. It matches timm's
``tf_efficientnet_lite0`` in everything that matters elsewhere: tensor names, features and gradients to the last bit,
the random numbers of the initial weights, and the ``repr`` of the modules, which is part of a backbone's fingerprint.

References: Tan and Le, EfficientNet, ICML 2019, arXiv:1905.11946; Lite0 is its variant without squeeze-and-excite.
"""

from __future__ import annotations

import math
from typing import ClassVar

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

EPS = 1e-3
"""Epsilon of batch normalisation, as in TensorFlow."""
STAGES = ((1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80), (3, 5, 1, 6, 112), (4, 5, 2, 6, 192))
LAST_STAGE = (1, 3, 1, 6, 320)
"""Blocks, kernel size, stride of the first block, expansion of the channels, and channels out."""


class EfficientNet(nn.Module):
    """EfficientNet-Lite0: images [batch, 3, height, width] → features [batch, 1280], or scores of classes.

    Args:
        num_classes: Outputs of the classifier; 0 for none.
        global_pool: How the feature map becomes one vector: ``avg`` or ``max``.
        drop_rate: Dropout of the vector in training.

    Example:
        >>> import torch
        >>> EfficientNet()(torch.zeros(2, 3, 32, 32)).shape
        torch.Size([2, 1280])
    """

    num_features = head_hidden_size = 1280
    pretrained_cfg: ClassVar[dict[str, str]] = {"classifier": "classifier"}

    def __init__(self, num_classes: int = 0, global_pool: str = "avg", *, drop_rate: float = 0.0) -> None:
        super().__init__()
        self.drop_rate = drop_rate
        self.conv_stem = Conv2dSame(3, 32, 3, stride=2, bias=False)
        self.bn1 = BatchNormAct2d(32)
        for _ in range(2):
            nn.Conv2d(8, 8, 1)  # timm creates these layers too; keeps the random state identical after a seed
        stages: list[nn.Module] = []
        channels = 32
        for blocks, kernel, stride, expansion, out in (*STAGES, LAST_STAGE):
            stage: list[nn.Module] = []
            for block in range(blocks):
                step = stride if block == 0 else 1
                if expansion == 1:
                    stage.append(DepthwiseSeparableConv(channels, out, kernel))
                else:
                    stage.append(InvertedResidual(channels, out, kernel, step, expansion))
                channels = out
            stages.append(nn.Sequential(*stage))
        self.blocks = nn.Sequential(*stages)
        self.conv_head = nn.Conv2d(channels, self.num_features, 1, bias=False)
        self.bn2 = BatchNormAct2d(self.num_features)
        self.global_pool = SelectAdaptivePool2d(global_pool)
        self.classifier = nn.Linear(self.num_features, num_classes) if num_classes else nn.Identity()
        for module in self.modules():
            _initialise(module)

    def forward_features(
        self, images: Float[Tensor, "batch 3 height width"]
    ) -> Float[Tensor, "batch 1280 map_height map_width"]:
        """The feature map before pooling."""
        return self.bn2(self.conv_head(self.blocks(self.bn1(self.conv_stem(images)))))

    def forward(self, images: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch feature"]:
        pooled = self.global_pool(self.forward_features(images))
        return self.classifier(F.dropout(pooled, self.drop_rate, self.training) if self.drop_rate else pooled)

    def get_classifier(self) -> nn.Module:
        """The classifier; an identity if there is none."""
        return self.classifier


class DepthwiseSeparableConv(nn.Module):
    """Depthwise convolution followed by a pointwise one without activation: the first block, without expansion."""

    def __init__(self, channels: int, out: int, kernel: int) -> None:
        super().__init__()
        self.conv_dw = _depthwise(channels, kernel, 1)
        self.bn1 = BatchNormAct2d(channels)
        self.aa = nn.Identity()
        self.se = nn.Identity()
        self.conv_pw = nn.Conv2d(channels, out, 1, bias=False)
        self.bn2 = BatchNormAct2d(out, act=False)
        self.drop_path = nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return self.bn2(self.conv_pw(self.bn1(self.conv_dw(x))))


class InvertedResidual(nn.Module):
    """Pointwise expansion, depthwise convolution and pointwise projection, with a shortcut if the shapes match."""

    def __init__(self, channels: int, out: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        self.has_skip = channels == out and stride == 1
        wide = channels * expansion
        self.conv_pw = nn.Conv2d(channels, wide, 1, bias=False)
        self.bn1 = BatchNormAct2d(wide)
        self.conv_dw = _depthwise(wide, kernel, stride)
        self.bn2 = BatchNormAct2d(wide)
        self.aa = nn.Identity()
        self.se = nn.Identity()
        self.conv_pwl = nn.Conv2d(wide, out, 1, bias=False)
        self.bn3 = BatchNormAct2d(out, act=False)
        self.drop_path = nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        out = self.bn3(self.conv_pwl(self.bn2(self.conv_dw(self.bn1(self.conv_pw(x))))))
        return out + x if self.has_skip else out


class BatchNormAct2d(nn.BatchNorm2d):
    """Batch normalisation followed by ReLU6, or by nothing."""

    def __init__(self, channels: int, *, act: bool = True) -> None:
        super().__init__(channels, eps=EPS)
        self.drop = nn.Identity()
        self.act = nn.ReLU6(inplace=True) if act else nn.Identity()

    def forward(self, input: Tensor) -> Tensor:
        return self.act(super().forward(input))


class Conv2dSame(nn.Conv2d):
    """A convolution with TensorFlow's ``SAME`` padding: as much as the stride needs, an odd pixel at the end."""

    def forward(self, input: Tensor) -> Tensor:
        pads: list[int] = []
        for side, kernel, stride in zip(input.shape[:-3:-1], self.kernel_size[::-1], self.stride[::-1], strict=True):
            pad = max((math.ceil(side / stride) - 1) * stride + kernel - side, 0)
            pads += [pad // 2, pad - pad // 2]
        return super().forward(F.pad(input, pads))


class SelectAdaptivePool2d(nn.Module):
    """Average or maximum of a feature map, as one vector per image."""

    def __init__(self, pool_type: str) -> None:
        super().__init__()
        self.pool_type = pool_type
        self.pool = {"avg": nn.AdaptiveAvgPool2d, "max": nn.AdaptiveMaxPool2d}[pool_type](1)
        self.flatten = nn.Flatten(1)

    def forward(self, x: Tensor) -> Tensor:
        return self.flatten(self.pool(x))

    def __repr__(self) -> str:
        return f"SelectAdaptivePool2d(pool_type={self.pool_type}, flatten={self.flatten})"


def _depthwise(channels: int, kernel: int, stride: int) -> nn.Conv2d:
    if stride > 1:
        return Conv2dSame(channels, channels, kernel, stride=stride, groups=channels, bias=False)
    return nn.Conv2d(channels, channels, kernel, padding=kernel // 2, groups=channels, bias=False)


def _initialise(module: nn.Module) -> None:
    """Initial weights as in TensorFlow: normal with the fan-out of a convolution, uniform in a linear layer."""
    if isinstance(module, nn.Conv2d):
        fan_out = module.kernel_size[0] * module.kernel_size[1] * module.out_channels // module.groups
        nn.init.normal_(module.weight, 0, math.sqrt(2.0 / fan_out))
    elif isinstance(module, nn.Linear):
        bound = 1.0 / math.sqrt(module.weight.size(0))
        nn.init.uniform_(module.weight, -bound, bound)
        nn.init.zeros_(module.bias)
