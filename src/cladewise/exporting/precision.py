"""Precision of an exported encoder."""

from __future__ import annotations

from typing import get_args

from torch import Tensor, nn

from cladewise.errors import InputError
from cladewise.exporting.format import Format, Precision
from cladewise.exporting.graph import RunGraph


def check_precision(precision: str, form: Format, start: str) -> None:
    """Check that an encoder can be exported in a precision.

    Raises:
        InputError: It cannot; the message lists the precisions that the format has.
    """
    if precision not in form.precisions:
        others = f"The format onnx has {precision}." if precision in get_args(Precision) else ""
        raise InputError(f"a precision among {', '.join(form.precisions)} for {form.name}", precision, advice=others)
    if precision != "fp32" and start == "features":
        raise InputError(
            f"images or pixels to start from in {precision}", "features", advice="Only the encoder is converted."
        )


class HalfEncoder(nn.Module):
    """An encoder in half precision, whose inputs and features are in single precision.

    Example:
        >>> import torch
        >>> HalfEncoder(nn.Linear(3, 2))(torch.ones(1, 3)).dtype
        torch.float32
    """

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder.half()

    def forward(self, pixels: Tensor) -> Tensor:
        return self.encoder(pixels.half()).float()


def halve(graph: RunGraph) -> None:
    """Change a graph in place: its encoder is in half precision, all that follows in single precision."""
    graph.encoder[0] = HalfEncoder(graph.encoder[0])
