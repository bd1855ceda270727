"""Kernel of :mod:`cladewise.ops.random_cut`: softmaxes over the nodes of a cut tree."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cladewise.ops.compiled.decorators import Floats, Nodes, kernel
from cladewise.ops.compiled.lines import ROWS, line_is_product, line_plus, line_unless
from cladewise.ops.compiled.reductions import exp_and_sum, finite, largest, scaled_exp, sum_of_exp
from cladewise.ops.compiled.tiles import STRIP, read_lines, write_lines


@kernel
def _cut_tile(
    scores: Floats,
    dropped: NDArray[np.uint8],
    begin: int,
    rows: int,
    parents: Nodes,
    leaf: NDArray[np.uint8],
    sums: Floats,
    lines: Floats,
    bits: NDArray[np.uint8],
    cut: Floats,
) -> None:
    """Sums along the path to every node of the cut, and -inf at all other nodes, as rows of ``cut``."""
    num_nodes = parents.size
    bits[:] = 0
    for r in range(rows):
        row, bit = dropped[begin + r], np.uint8(1 << r)
        for i in range(row.size):
            bits[i + 1] |= row[i] * bit
    sums[:ROWS] = 0.0
    every = np.uint8(255)
    for c in range(1, num_nodes, STRIP):
        count = min(STRIP, num_nodes - c)
        read_lines(scores, begin, rows, c - 1, count, lines)
        for i in range(count):
            v = c + i
            line_plus(lines, i, sums, parents[v], sums, parents[v])
            line_unless(sums, v, lines, i, bits, v, np.uint8(0))  # nothing goes on below a dropped node
        for i in range(count):
            bits[c + i] |= leaf[c + i] * every
        for i in range(count):
            line_unless(lines, i, lines, i, bits, c + i, every)
        write_lines(lines, count, cut, 0, rows, c - 1)


@kernel
def random_cut_rows(
    first: int,
    last: int,
    scores: Floats,
    dropped: NDArray[np.uint8],
    parents: Nodes,
    leaf: NDArray[np.uint8],
    starts: Nodes,
    ends: Nodes,
    out: Floats,
    grad: Floats,
) -> None:
    """Log-sum-exp of the path sums of the cut, minus that of the part in a range of nodes.

    And its gradient, unless ``grad`` is empty: the softmax over the cut minus that over the part, summed over all
    subtrees.
    """
    num_nodes, dtype = parents.size, scores.dtype
    sums, lines = np.zeros(num_nodes * ROWS, dtype), np.zeros(STRIP * ROWS, dtype)
    bits, cut = np.zeros(num_nodes, np.uint8), np.zeros((ROWS, num_nodes - 1), dtype)
    share, scale = np.zeros(num_nodes, dtype), np.zeros(ROWS, dtype)
    for begin in range(first, last, ROWS):
        rows = min(ROWS, last - begin)
        _cut_tile(scores, dropped, begin, rows, parents, leaf, sums, lines, bits, cut)
        for r in range(rows):
            row, all_sums = begin + r, cut[r]
            own = all_sums[max(starts[row] - 1, 0) : ends[row] - 1]
            shift = finite(largest(all_sums, dtype.type(-np.inf)))
            own_shift = finite(largest(own, dtype.type(-np.inf)))
            own_total = sum_of_exp(own, own_shift)
            if own.size == all_sums.size:  # nothing is asked: exactly 0, or nan
                out[row] = 0.0 * own_total
                all_sums[:], scale[r] = out[row], 1.0
                continue
            if grad.size == 0:
                total = sum_of_exp(all_sums, shift)
            else:
                scaled_exp(own, own_shift, dtype.type(1.0 / own_total), share)
                total = exp_and_sum(all_sums, shift)
                factor = dtype.type(total)
                for i in range(own.size):
                    own[i] -= factor * share[i]
            out[row] = (shift + np.log(total)) - (own_shift + np.log(own_total))
            scale[r] = 1.0 / total
        if grad.size == 0:
            continue
        for c in range(1, num_nodes, STRIP):
            count = min(STRIP, num_nodes - c)
            read_lines(cut, 0, rows, c - 1, count, sums[c * ROWS :])
        for v in range(num_nodes - 1, 0, -1):
            line_plus(sums, parents[v], sums, v, sums, v)
        for c in range(1, num_nodes, STRIP):
            count = min(STRIP, num_nodes - c)
            for i in range(count):
                line_is_product(lines, i, sums, c + i, scale, 0)
            write_lines(lines, count, grad, begin, rows, c - 1)
