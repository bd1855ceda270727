"""Kernels of :mod:`cladewise.ops.transition`: probabilities mapped by transitions of low rank."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from cladewise.ops.compiled.decorators import Floats, Nodes, kernel
from cladewise.ops.compiled.exponentials import fast_exp

LARGE = 2.0**40
"""Scale of small probabilities, so that their products with others do not underflow."""


@kernel
def _columns(num_targets: int, most: int) -> int:
    """Sources of a tile, so that it stays in a fast cache; a whole number of vectors."""
    return max(16, min(64, most, (1 << 17) // max(1, num_targets) // 16 * 16))


@kernel
def _low_rank_tile(
    left: Floats, right: Floats, bonus: Any, targets: Nodes, start: Nodes, j: int, n: int, factors: Floats, tile: Floats
) -> None:
    """Scores of ``n`` sources from ``j`` on, ``[target, source]``; ``factors`` receives theirs, ``[rank, source]``."""
    rank, num_targets = right.shape
    for r in range(rank):
        for k in range(n):
            factors[r, k] = left[j + k, r]
    for i in range(num_targets):
        scores = tile[i, :n]
        if rank == 2:  # the usual rank in one go
            one, other, a, b = factors[0, :n], factors[1, :n], right[0, i], right[1, i]
            for k in range(n):
                scores[k] = one[k] * a + other[k] * b
        else:
            scores[:] = 0.0
            for r in range(rank):
                factor, a = factors[r, :n], right[r, i]
                for k in range(n):
                    scores[k] += factor[k] * a
    for k in range(n):
        for edge in range(start[j + k], start[j + k + 1]):
            tile[targets[edge], k] += bonus


@kernel
def low_rank_rows(
    first: int,
    last: int,
    prob: Floats,
    left: Floats,
    right: Floats,
    bonus: Floats,
    bound: Floats,
    targets: Nodes,
    start: Nodes,
    there: Floats,
    log_sum: Floats,
    entropy: Floats,
) -> None:
    """Map probabilities by the softmax over the targets, of scores that are at most ``bound`` in absolute value."""
    num_sources, (rank, num_targets), dtype = left.shape[1], right.shape[1:], left.dtype
    most = _columns(num_targets, (num_sources + 15) // 16 * 16)
    tile, factors = np.empty((num_targets, most), dtype), np.empty((rank, most), dtype)
    part, moment, weight = np.empty(most, dtype), np.empty(most, dtype), np.empty(most, dtype)
    total, moments, sums = np.empty(most), np.empty(most), np.empty(num_targets)
    above = bound[0]
    for row in range(first, last):
        sums[:] = 0.0
        for j in range(0, num_sources, most):
            n = min(most, num_sources - j)
            _low_rank_tile(left[row], right[row], bonus[row], targets, start, j, n, factors, tile)
            total[:], moments[:] = 0.0, 0.0
            for begin in range(0, num_targets, 64):  # in single precision for a while, then in double
                part[:], moment[:] = 0.0, 0.0
                p, m = part[:n], moment[:n]
                for i in range(begin, min(begin + 64, num_targets)):
                    cells = tile[i, :n]
                    for k in range(n):
                        x = cells[k]
                        e = fast_exp(x - above)
                        cells[k] = e
                        p[k] += e
                        m[k] += e * x
                for k in range(n):
                    total[k] += p[k]
                    moments[k] += m[k]
            for k in range(n):
                log_total = math.log(total[k]) + above
                log_sum[row, j + k] = log_total
                entropy[row, j + k] = moments[k] / total[k] - log_total
                weight[k] = LARGE * prob[row, j + k] / total[k]
            w = weight[:n]
            for i in range(num_targets):
                cells, mass = tile[i, :n], dtype.type(0)
                for k in range(n):
                    mass += cells[k] * w[k]
                sums[i] += mass
        for i in range(num_targets):
            there[row, i] = np.log(sums[i] / LARGE)


@kernel
def low_rank_gradient_rows(
    first: int,
    last: int,
    prob: Floats,
    left: Floats,
    right: Floats,
    bonus: Floats,
    bound: Floats,
    targets: Nodes,
    start: Nodes,
    log_sum: Floats,
    entropy: Floats,
    by_target: Floats,
    each: Floats,
    grad_prob: Floats,
    grad_left: Floats,
    grad_right: Floats,
    grad_bonus: Floats,
) -> None:
    """Shares again, and the gradient by each score, which goes to its two factors and is forgotten."""
    num_sources, (rank, num_targets), dtype = left.shape[1], right.shape[1:], left.dtype
    most = _columns(num_targets, (num_sources + 15) // 16 * 16)
    tile, shares = np.empty((num_targets, most), dtype), np.empty((num_targets, most), dtype)
    factors, to_left = np.empty((rank, most), dtype), np.empty((rank, most))
    p, held, base, inverse = np.empty(most, dtype), np.empty(most, dtype), np.empty(most, dtype), np.empty(most, dtype)
    part, total, to_right = np.empty((rank, most), dtype), np.empty(most), np.empty((rank, num_targets))
    above = bound[0]
    for row in range(first, last):
        to_right[:], to_bonus = 0.0, 0.0
        weight, upstream = each[row], by_target[row]
        for j in range(0, num_sources, most):
            n = min(most, num_sources - j)
            _low_rank_tile(left[row], right[row], bonus[row], targets, start, j, n, factors, tile)
            for k in range(n):
                p[k] = prob[row, j + k]
                inverse[k] = math.exp(above - log_sum[row, j + k])
            total[:] = 0.0
            for begin in range(0, num_targets, 64):
                held[:] = 0.0
                h, inv = held[:n], inverse[:n]
                for i in range(begin, min(begin + 64, num_targets)):
                    cells, share, g = tile[i, :n], shares[i, :n], upstream[i]
                    for k in range(n):
                        s = fast_exp(cells[k] - above) * inv[k]
                        share[k] = s
                        h[k] += s * g
                for k in range(n):
                    total[k] += held[k]
            for k in range(n):
                of_source = total[k] * p[k]
                grad_prob[row, j + k] = of_source
                base[k] = -of_source - weight * (log_sum[row, j + k] + entropy[row, j + k])
            to_left[:] = 0.0
            for begin in range(0, num_targets, 64):
                part[:] = 0.0
                for i in range(begin, min(begin + 64, num_targets)):
                    cells, share, g = tile[i, :n], shares[i, :n], upstream[i]
                    q, b = p[:n], base[:n]
                    if rank == 2:
                        one, other, a, c = factors[0, :n], factors[1, :n], right[row, 0, i], right[row, 1, i]
                        first_part, second_part = part[0, :n], part[1, :n]
                        x, y = dtype.type(0), dtype.type(0)
                        for k in range(n):
                            slope = share[k] * (q[k] * g + weight * cells[k] + b[k])
                            share[k] = slope
                            x += slope * one[k]
                            y += slope * other[k]
                            first_part[k] += slope * a
                            second_part[k] += slope * c
                        to_right[0, i] += x
                        to_right[1, i] += y
                    else:
                        for k in range(n):
                            share[k] *= q[k] * g + weight * cells[k] + b[k]
                        for r in range(rank):
                            factor, a, x, some = factors[r, :n], right[row, r, i], dtype.type(0), part[r, :n]
                            for k in range(n):
                                x += share[k] * factor[k]
                                some[k] += share[k] * a
                            to_right[r, i] += x
                for r in range(rank):
                    for k in range(n):
                        to_left[r, k] += part[r, k]
            for k in range(n):
                for r in range(rank):
                    grad_left[row, j + k, r] = to_left[r, k]
                for edge in range(start[j + k], start[j + k + 1]):
                    to_bonus += shares[targets[edge], k]
        grad_right[row] = to_right
        grad_bonus[row] = to_bonus
