"""Kernels of :mod:`cladewise.ops.rings`: log-sum-exps over the rings between nested ranges."""

from __future__ import annotations

import math

import numpy as np

from cladewise.ops.compiled.decorators import Floats, Nodes, kernel
from cladewise.ops.compiled.reductions import finite, largest, scaled_exp, sum_of_exp


@kernel
def ring_logsumexp_rows(first: int, last: int, values: Floats, starts: Nodes, ends: Nodes, out: Floats) -> None:
    """Log-sum-exp of each ring, relative to its own maximum; ``out`` is double."""
    for row in range(first, last):
        x = values[row]
        begin = end = starts[row, -1]
        for k in range(starts.shape[1] - 1, -1, -1):
            left, right = x[starts[row, k] : begin], x[end : ends[row, k]]
            begin, end = starts[row, k], ends[row, k]
            peak = largest(right, largest(left, x.dtype.type(-np.inf)))
            shift = finite(peak)
            out[row, k] = shift + np.log(sum_of_exp(left, shift) + sum_of_exp(right, shift))


@kernel
def ring_logsumexp_gradient_rows(
    first: int, last: int, values: Floats, starts: Nodes, ends: Nodes, out: Floats, by_ring: Floats, grad: Floats
) -> None:
    """Each value gets its share of its ring's weight."""
    for row in range(first, last):
        x, g = values[row], grad[row]
        begin = end = starts[row, -1]
        for k in range(starts.shape[1] - 1, -1, -1):
            exact = finite(out[row, k])
            shift = x.dtype.type(exact)
            scale = x.dtype.type(by_ring[row, k] * math.exp(shift - exact))
            scaled_exp(x[starts[row, k] : begin], shift, scale, g[starts[row, k] : begin])
            scaled_exp(x[end : ends[row, k]], shift, scale, g[end : ends[row, k]])
            begin, end = starts[row, k], ends[row, k]
