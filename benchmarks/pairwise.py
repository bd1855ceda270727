"""Poincaré distances and cone energies of all pairs, forward and backward, relative to a matrix product.

The units are ``X Yᵀ`` of the same shape in the same run, and geoopt's broadcasting over fewer rows, scaled up because
it needs gigabytes for all of them. The error is relative to the formula for single pairs in double precision.

    python benchmarks/pairwise.py --rows 256 --columns 14036 --dim 100
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import geoopt
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from cladewise import geometry

Pairwise = Callable[[Tensor, Tensor], Tensor]


def milliseconds(function: Pairwise, x: Tensor, y: Tensor, repeats: int) -> float:
    """Median time of forward and backward."""
    times: list[float] = []
    for _ in range(repeats + 1):
        a, b = x.clone().requires_grad_(), y.clone().requires_grad_()
        start = time.perf_counter()
        function(a, b).sum().backward()
        times.append((time.perf_counter() - start) * 1e3)
    return statistics.median(times[1:])


def broadcast_cones(x: Tensor, y: Tensor) -> Tensor:
    return geometry.cone_energy(x[:, None], y, curvature=1.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=256)
    parser.add_argument(
        "--columns", type=int, default=14036, help="number of labels, by default that of iNaturalist 2018"
    )
    parser.add_argument("--dim", type=int, default=100)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--broadcast-rows", type=int, default=8, help="rows for broadcasting")
    options = parser.parse_args()

    torch.manual_seed(0)
    shapes = (options.rows, options.dim), (options.columns, options.dim)
    x, y = (
        0.9 * torch.nn.functional.normalize(torch.randn(*shape), dim=1) * torch.rand(shape[0], 1) for shape in shapes
    )
    x, y = (geometry.project(points, inner=0.11) for points in (x, y))
    ball, few = geoopt.PoincareBall(), min(options.rows, options.broadcast_rows)
    product = milliseconds(lambda a, b: a @ b.T, x, y, options.repeats)
    cases: dict[str, tuple[Pairwise, Pairwise]] = {
        "distance": (geometry.pairwise_distance, lambda a, b: ball.dist(a[:, None], b)),
        "cone energy": (lambda a, b: geometry.pairwise_cone_energy(a, b, curvature=1.0), broadcast_cones),
        "Euclidean cone energy": (geometry.pairwise_cone_energy, lambda a, b: geometry.cone_energy(a[:, None], b)),
        "order energy": (geometry.pairwise_order_energy, lambda a, b: geometry.order_energy(a[:, None], b)),
    }
    table = Table("all pairs", "ms", "× X Yᵀ", "broadcast, × X Yᵀ", "error")
    for name, (fast, slow) in cases.items():
        here = milliseconds(fast, x, y, options.repeats)
        there = milliseconds(slow, x[:few], y, 2) * options.rows / few
        wanted = slow(x[:few].double(), y.double())
        error = float((fast(x[:few], y).double() - wanted).abs().max())
        table.add_row(name, f"{here:.0f}", f"{here / product:.1f}", f"{there / product:.0f}", f"{error:.0e}")
    Console().print(f"{options.rows} × {options.columns} × {options.dim}; X Yᵀ: {product:.1f} ms", table)


if __name__ == "__main__":
    main()
