"""Gradients made with the value: one pass in training, none without, and the same in every further backward pass."""

from __future__ import annotations

import torch
from torch import Tensor

from cladewise.ops.row_gradient import with_row_gradient


class Squares:
    """Sum of squares of each row, which counts how often the gradient was made."""

    gradients = 0

    def __call__(self, rows: Tensor, with_gradient: bool) -> tuple[Tensor, Tensor]:
        self.gradients += with_gradient
        return rows.square().sum(1), 2 * rows if with_gradient else rows[:0]


def test_every_backward_pass_gives_the_gradient() -> None:
    rows, squares = torch.randn(5, 3, dtype=torch.float64, requires_grad=True), Squares()
    out = with_row_gradient(rows, squares)
    first, second, third = (
        torch.autograd.grad(out, rows, torch.full_like(out, factor), retain_graph=True)[0] for factor in (1.0, 0.0, 3.0)
    )
    torch.testing.assert_close(first, 2 * rows)
    assert not second.any()
    torch.testing.assert_close(third, 6 * rows)
    assert squares.gradients == 3
    assert torch.autograd.gradcheck(lambda x: with_row_gradient(x, Squares()), rows)


def test_no_gradient_is_made_where_none_is_needed() -> None:
    squares = Squares()
    with_row_gradient(torch.ones(2, 3), squares)
    assert squares.gradients == 0
