"""Functions of rows whose gradient is made together with the value."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

ValueAndGradient = Callable[
    [Float[Tensor, "row column"], bool], tuple[Float[Tensor, " row"], Float[Tensor, "row column"]]
]
"""Makes one value per row and, if told that it is needed, the gradient of each value by its row."""


def with_row_gradient(rows: Float[Tensor, "row column"], compute: ValueAndGradient) -> Float[Tensor, " row"]:
    """Values of a function that makes its gradient in the same pass, if the rows need one.

    The first backward pass scales that gradient in place and hands it on; a further one computes it again.

    Example:
        >>> x = torch.tensor([[1.0, 2.0]], requires_grad=True)
        >>> with_row_gradient(x, lambda rows, with_gradient: (rows.square().sum(1), 2 * rows)).backward()
        >>> x.grad
        tensor([[2., 4.]])
    """
    return _WithRowGradient.apply(rows, compute)


class _WithRowGradient(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor, compute: ValueAndGradient) -> Tensor:
        values, ctx.gradient = compute(rows, ctx.needs_input_grad[0])
        ctx.compute = compute
        ctx.save_for_backward(rows)
        return values

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride] -- the decorator hides the names
        ctx: Any, *grads: Tensor
    ) -> tuple[Tensor, None]:
        (rows,), gradient = ctx.saved_tensors, ctx.gradient
        ctx.gradient = None
        if gradient is None:
            _, gradient = ctx.compute(rows, True)
        return gradient.mul_(grads[0][:, None]), None
