"""Kernels of :mod:`cladewise.ops.nested`: log-sum-exps over nested ranges."""

from __future__ import annotations

import math

import numpy as np

from cladewise.ops.compiled.decorators import Floats, Nodes, kernel
from cladewise.ops.compiled.reductions import finite, largest, scaled_exp, sum_of_exp


@kernel
def nested_logsumexp_rows(first: int, last: int, values: Floats, starts: Nodes, ends: Nodes, out: Floats) -> None:
    """Accumulate rings from the innermost range outwards, with a running maximum and a sum relative to it.

    ``out`` is in double precision, so that large results do not cost the gradient its last digits.
    """
    for row in range(first, last):
        x = values[row]
        begin = end = starts[row, -1]
        peak, total = x.dtype.type(-np.inf), 0.0
        for k in range(starts.shape[1] - 1, -1, -1):
            left, right = x[starts[row, k] : begin], x[end : ends[row, k]]
            begin, end = starts[row, k], ends[row, k]
            higher = largest(right, largest(left, peak))
            if higher != peak:
                total *= math.exp(peak - higher)
                peak = higher
            shift = finite(peak)
            total += sum_of_exp(left, shift) + sum_of_exp(right, shift)
            out[row, k] = shift + np.log(total)


@kernel
def nested_logsumexp_gradient_rows(
    first: int, last: int, values: Floats, starts: Nodes, ends: Nodes, out: Floats, by_range: Floats, grad: Floats
) -> None:
    """A ring's weight sums the gradients of all ranges around it, each times the ring's share of the range."""
    num_ranges = starts.shape[1]
    for row in range(first, last):
        x, g, y = values[row], grad[row], out[row]
        weight = 0.0
        for k in range(num_ranges):
            if k > 0:
                weight *= math.exp(y[k] - finite(y[k - 1]))
            weight += by_range[row, k]
            shift = x.dtype.type(finite(y[k]))
            scale = x.dtype.type(weight * math.exp(shift - finite(y[k])))
            begin, end = starts[row, k], ends[row, k]
            inner = starts[row, k + 1] if k + 1 < num_ranges else end
            outer = ends[row, k + 1] if k + 1 < num_ranges else end
            scaled_exp(x[begin:inner], shift, scale, g[begin:inner])
            scaled_exp(x[outer:end], shift, scale, g[outer:end])
