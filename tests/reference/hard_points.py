"""Points of the ball that arithmetic finds hard, and functions of the exact twin on tensors."""

from __future__ import annotations

from collections.abc import Callable

import mpmath as mp
import torch
from torch import Tensor

from reference import hyperbolic_twin as twin

NORMS = [1e-15, 1e-8, 1e-3, 0.1, 0.5, 0.99, 1 - 1e-5, 1 - 1e-9, 1.0]
"""From the origin to the boundary, as shares of the radius."""


def directions(count: int, dim: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.nn.functional.normalize(torch.randn(count, dim, generator=generator, dtype=torch.float64), dim=1)


def points(count: int, dim: int, seed: int, *, curvature: float = 1.0, reach: float = 6.0) -> Tensor:
    """Points at hyperbolic radii up to ``reach``, in radii of the unit ball."""
    generator = torch.Generator().manual_seed(seed + 1000)
    radius = torch.rand(count, 1, generator=generator, dtype=torch.float64) * reach
    return directions(count, dim, seed) * torch.tanh(radius / 2) / curvature**0.5


def exactly(function: Callable[..., object], *tensors: Tensor, **settings: float) -> Tensor:
    """A function of the twin for every row, rounded once."""
    rows = zip(*[[twin.vector(row) for row in tensor.double().tolist()] for tensor in tensors], strict=True)
    found = [function(*row, **{name: mp.mpf(value) for name, value in settings.items()}) for row in rows]
    values = [[float(part) for part in row] if isinstance(row, list) else float(row) for row in found]  # type: ignore[arg-type]
    return torch.tensor(values, dtype=torch.float64)


def hostile(dim: int, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Every pair of hard norms, along, against, across and at the same point."""
    first, second = directions(2, dim, 3)
    across = second - (second @ first) * first
    across /= across.norm()
    pairs = [(a * first, b * way) for a in NORMS for b in NORMS for way in (first, -first, across, second)]
    x, y = (torch.stack(side).to(dtype) for side in zip(*pairs, strict=True))
    zero = torch.zeros(1, dim, dtype=dtype)
    return torch.cat([x, zero, zero, x[:9]]), torch.cat([y, zero, y[:1], zero.expand(9, -1)])
