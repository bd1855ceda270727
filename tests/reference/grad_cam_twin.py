"""Grad-CAM by its formula, an image and a channel at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn


def grad_cam_of(network: nn.Module, module: nn.Module, image: Tensor, column: int) -> np.ndarray:
    """Map [height, width] of one image [1, channel, height, width] and one of its scores."""
    kept: list[Tensor] = []

    def keep(_module: nn.Module, _inputs: Any, output: Tensor) -> None:
        output.retain_grad()
        kept.append(output)

    handle = module.register_forward_hook(keep)
    network.zero_grad()
    network(image.clone().requires_grad_())[0, column].backward()
    handle.remove()
    gradient, features = kept[0].grad, kept[0].detach()
    assert gradient is not None
    heat = torch.zeros(features.shape[2:])
    for channel in range(features.shape[1]):
        heat += gradient[0, channel].mean() * features[0, channel]
    heat = np.maximum(0, heat.numpy())
    large = enlarged(heat - heat.min(), *image.shape[2:])
    return (large - large.min()) / max(large.max() - large.min(), 1e-30)


def enlarged(heat: np.ndarray, height: int, width: int) -> np.ndarray:
    """Bilinear, pixel centres at halves, edges repeated."""
    rows = np.clip((np.arange(height) + 0.5) * heat.shape[0] / height - 0.5, 0, heat.shape[0] - 1)
    columns = np.clip((np.arange(width) + 0.5) * heat.shape[1] / width - 0.5, 0, heat.shape[1] - 1)
    result = np.zeros((height, width))
    for i, row in enumerate(rows):
        for j, column in enumerate(columns):
            top, left = int(row), int(column)
            down, right = min(top + 1, heat.shape[0] - 1), min(left + 1, heat.shape[1] - 1)
            y, x = row - top, column - left
            result[i, j] = (1 - y) * ((1 - x) * heat[top, left] + x * heat[top, right]) + y * (
                (1 - x) * heat[down, left] + x * heat[down, right]
            )
    return result
