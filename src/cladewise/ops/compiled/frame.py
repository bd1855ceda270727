"""Kernel of :mod:`cladewise.ops.frame`: coordinates in a frame, by depth."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from cladewise.ops.compiled.decorators import Floats, Nodes, kernel
from cladewise.ops.compiled.exponentials import fast_exp
from cladewise.ops.compiled.reductions import PIECE, largest, sum_of_exp


@kernel
def _sizes(values: Floats, sizes: Floats) -> tuple[float, float]:
    """Absolute values, their sum and the sum of their squares."""
    total, squares = 0.0, 0.0
    for begin in range(0, values.size, PIECE):
        piece, result = values[begin : begin + PIECE], sizes[begin : begin + PIECE]
        part = square = values.dtype.type(0)
        for i in range(piece.size):
            x = abs(piece[i])
            result[i] = x
            part += x
            square += x * x
        total += part
        squares += square
    return total, squares


@kernel
def _slopes(values: Floats, sizes: Floats, peak: Any, scale: Any, constant: Any, slope: Any) -> None:
    """Gradient by each value, in place of its size, of a function of the sizes."""
    zero, one = values.dtype.type(0), values.dtype.type(1)
    for i in range(values.size):
        x = sizes[i]
        y = scale * fast_exp(x - peak) + constant + slope * x
        sign = one if values[i] > zero else (-one if values[i] < zero else zero)
        sizes[i] = y * sign


@kernel
def frame_path_rows(
    first: int,
    last: int,
    values: Floats,
    bounds: Nodes,
    low: Nodes,
    high: Nodes,
    column: Nodes,
    depth: Nodes,
    mass: Floats,
    settings: Floats,
    out: Floats,
    grad: Floats,
) -> None:
    """Divergence of the softmax of the sizes from the path's masses, and the spread at every depth.

    ``low`` to ``high`` is left out at each depth; ``settings`` are the weight of the spread and the least norm.
    """
    num_depths = column.shape[1]
    alpha, tiny = settings[0], settings[1]
    norms = np.empty(num_depths)
    offs = np.empty(num_depths)
    for row in range(first, last):
        x, g, m = values[row], grad[row], depth[row]
        out[row] = 0
        if m == 0:
            g[:] = 0
            continue
        peak, spread = x.dtype.type(0), 0.0
        for k in range(num_depths):
            begin, inner, outer, end = bounds[k], low[row, k], high[row, k], bounds[k + 1]
            g[inner:outer] = 0
            total, squares = _sizes(x[begin:inner], g[begin:inner])
            more, more_squares = _sizes(x[outer:end], g[outer:end])
            peak = largest(g[outer:end], largest(g[begin:inner], peak))
            norms[k] = max(math.sqrt(squares + more_squares), tiny)
            offs[k] = (total + more - 2.0 * g[column[row, k]]) / norms[k]
            spread += 1.0 + offs[k] if k < m else total + more
        total = 0.0
        for k in range(num_depths):
            total += sum_of_exp(g[bounds[k] : low[row, k]], peak)
            total += sum_of_exp(g[high[row, k] : bounds[k + 1]], peak)
        level = peak + math.log(total)
        for k in range(m):
            out[row] += mass[row, k] * (math.log(mass[row, k]) + level - g[column[row, k]])
        out[row] += alpha * spread
        scale = x.dtype.type(1.0 / total)
        for k in range(num_depths):
            begin, inner, outer, end = bounds[k], low[row, k], high[row, k], bounds[k + 1]
            constant = x.dtype.type(alpha / norms[k] if k < m else alpha)
            slope = x.dtype.type(-alpha * offs[k] / norms[k] / norms[k] if k < m else 0.0)
            _slopes(x[begin:inner], g[begin:inner], peak, scale, constant, slope)
            _slopes(x[outer:end], g[outer:end], peak, scale, constant, slope)
        for k in range(m):
            own = x[column[row, k]]
            pull = x.dtype.type(mass[row, k] + 2.0 * alpha / norms[k])
            if own > 0:
                g[column[row, k]] -= pull
            elif own < 0:
                g[column[row, k]] += pull
