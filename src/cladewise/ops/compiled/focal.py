"""Kernel of :mod:`cladewise.losses.multilabel`: binary classification of every node with a focal loss."""

from __future__ import annotations

from typing import Any

from cladewise.ops.compiled.decorators import Floats, Nodes, kernel
from cladewise.ops.compiled.exponentials import fast_exp, fast_log
from cladewise.ops.compiled.reductions import PIECE


@kernel
def focal_rows(
    first: int, last: int, scores: Floats, starts: Nodes, ends: Nodes, gamma: Floats, out: Floats, slope: Floats
) -> None:
    """Focal loss of scores that should be low, summed outside the given ascending ranges, and its derivative."""
    power = scores.dtype.type(gamma[0])
    for row in range(first, last):
        x, y = scores[row], slope[row]
        begin, total = 0, 0.0
        for k in range(starts.shape[1]):
            total += _focal(x[begin : starts[row, k]], power, y[begin : starts[row, k]])
            y[starts[row, k] : ends[row, k]] = 0.0
            begin = ends[row, k]
        out[row] = total + _focal(x[begin:], power, y[begin:])


@kernel
def _focal(scores: Floats, gamma: Any, slope: Floats) -> float:
    zero, one, least = scores.dtype.type(0), scores.dtype.type(1), scores.dtype.type(-1e30)
    total = 0.0
    for begin in range(0, scores.size, PIECE):
        values, slopes = scores[begin : begin + PIECE], slope[begin : begin + PIECE]
        part = zero
        for i in range(values.size):
            x = values[i]
            small = fast_exp(-abs(x))
            above = one + small
            share = one / above
            tail = fast_log(above) + (small - (above - one)) * share  # log1p of small
            nats = tail + max(x, zero)
            probability = share if x > zero else small * share
            rest = small * share if x > zero else share
            weight = probability if gamma == one else fast_exp(gamma * (max(min(x, zero), least) - tail))
            part += weight * nats
            slopes[i] = weight * (gamma * rest * nats + probability)
        total += part
    return total
