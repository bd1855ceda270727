"""Riemannian stochastic gradient descent."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

from cladewise import geometry


class RiemannianSGD(torch.optim.Optimizer):
    r"""Steps along geodesics of the Poincaré ball.

    .. math:: u \leftarrow \exp_u\Bigl(-\eta \bigl(\tfrac{1 - c\|u\|^2}{2}\bigr)^2 \nabla_u \ell\Bigr)

    Points without a gradient are skipped.

    Args:
        params: Points of the ball, in their last dimension.
        lr: Step length per unit of Riemannian gradient.
        curvature: c > 0.
        longest: Maximum hyperbolic length of a step; unlimited by default. The gradient of the angle between near
            points is unbounded, and one long step takes a point to the boundary, from which steps are too short to
            return.

    Example:
        >>> x = torch.nn.Parameter(torch.tensor([[0.5, 0.0]]))
        >>> optimiser = RiemannianSGD([x], lr=1.0)
        >>> geometry.distance(x, torch.zeros(2)).sum().backward()
        >>> optimiser.step()  # the slope is 1 per unit of length, so the distance shrinks by the rate
        >>> geometry.distance(x, torch.zeros(2)).detach()
        tensor([0.0986])

    References: Bonnabel, Stochastic Gradient Descent on Riemannian Manifolds, IEEE TAC 2013. Dhall et al. print the
        step with a plus; their code has the minus, but not the square of the norm in the factor.
    """

    def __init__(
        self, params: Iterable[Tensor], lr: float = 0.01, *, curvature: float = 1.0, longest: float | None = None
    ) -> None:
        super().__init__(params, {"lr": lr, "curvature": curvature, "longest": longest})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Move every point that has a gradient."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for points in group["params"]:
                if points.grad is not None:
                    _step(points, points.grad, group["lr"], group["curvature"], group["longest"])
        return loss


def _step(points: Tensor, grad: Tensor, lr: float, curvature: float, longest: float | None) -> None:
    moved = (grad != 0).any(-1)
    at = points[moved]
    way = geometry.riemannian_gradient(at, grad[moved], curvature=curvature).mul_(-lr)
    if longest is not None:
        length = geometry.conformal_factor(at, curvature=curvature) * torch.linalg.vector_norm(way, dim=-1)
        way *= (longest / length.clamp_min(longest))[..., None]
    points[moved] = geometry.exp(at, way, curvature=curvature)
