"""Operators of torch in ONNX, in place of those of torch's exporter that lose infinities."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch


def translations() -> dict[Callable[..., Any], Callable[..., Any]]:
    """Operators by the function of torch that they stand for, for ``torch.onnx.export``.

    The exporter writes a clamp with one bound as a Clip, whose other bound is then the lowest or highest finite number:
    the logarithm -inf of an impossible node would become -3.4e38, which no longer equals -inf. A Min or a Max has one
    bound alone.
    """
    import onnxscript

    op: Any = onnxscript.opset18
    aten = torch.ops.aten

    def clamp(x: Any, low: Any = None, high: Any = None) -> Any:
        raised = x if low is None else op.Max(x, op.CastLike(low, x))
        return raised if high is None else op.Min(raised, op.CastLike(high, x))

    def clamp_min(x: Any, low: Any) -> Any:
        return clamp(x, low)

    def clamp_max(x: Any, high: Any) -> Any:
        return clamp(x, None, high)

    return {
        aten.clamp.default: clamp,
        aten.clamp.Tensor: clamp,
        aten.clamp_min.default: clamp_min,
        aten.clamp_min.Tensor: clamp_min,
        aten.clamp_max.default: clamp_max,
        aten.clamp_max.Tensor: clamp_max,
    }
