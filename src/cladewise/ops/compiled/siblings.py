"""Kernels of :mod:`cladewise.ops.siblings`: softmaxes among the children of one node."""

from __future__ import annotations

import math

import numpy as np

from cladewise.ops.compiled.decorators import Floats, Nodes, kernel
from cladewise.ops.compiled.exponentials import exp_in_place, fast_exp, fast_log
from cladewise.ops.compiled.lines import ROWS, line_is_excess, line_max, line_plus
from cladewise.ops.compiled.reductions import finite
from cladewise.ops.compiled.tiles import STRIP, gather_lines, read_lines, write_lines


@kernel
def path_sibling_nll_rows(
    first: int,
    last: int,
    scores: Floats,
    target: Nodes,
    parents: Nodes,
    children: Nodes,
    child_start: Nodes,
    depth: Nodes,
    out: Floats,
    norm: Floats,
) -> None:
    """Per edge of the target's path: its group's log-sum-exp (``norm``, double), minus the child's score."""
    for row in range(first, last):
        x = scores[row]
        node = target[row]
        while node > 0:
            above = parents[node]
            group = children[child_start[above] : child_start[above + 1]]
            place = depth[node] - 1
            if group.size == 1:
                norm[row, place] = x[node - 1]
                out[row, place] = abs(x[node - 1] - finite(x[node - 1]))  # 0, or inf, or nan
            else:
                peak = x.dtype.type(-np.inf)
                for i in range(group.size):
                    peak = max(peak, x[group[i] - 1])
                shift = finite(peak)
                total = 0.0
                for i in range(group.size):
                    total += fast_exp(x[group[i] - 1] - shift)
                norm[row, place] = shift + np.log(total)
                own = x[node - 1]
                out[row, place] = norm[row, place] - own if own != -np.inf else np.inf
            node = above


@kernel
def path_sibling_nll_gradient_rows(
    first: int,
    last: int,
    scores: Floats,
    target: Nodes,
    parents: Nodes,
    children: Nodes,
    child_start: Nodes,
    depth: Nodes,
    norm: Floats,
    by_edge: Floats,
    grad: Floats,
) -> None:
    """Softmax minus one-hot in every group of the path, and 0 elsewhere."""
    for row in range(first, last):
        x, g = scores[row], grad[row]
        g[:] = 0.0
        node = target[row]
        while node > 0:
            above = parents[node]
            group = children[child_start[above] : child_start[above + 1]]
            place = depth[node] - 1
            weight, exact = by_edge[row, place], finite(norm[row, place])
            shift = x.dtype.type(exact)
            scale = x.dtype.type(weight * math.exp(shift - exact))
            if group.size > 1:
                for i in range(group.size):
                    g[group[i] - 1] = scale * fast_exp(x[group[i] - 1] - shift)
                g[node - 1] -= weight
            node = above


@kernel
def sibling_log_softmax_rows(
    first: int, last: int, scores: Floats, group: Nodes, num_groups: Nodes, out: Floats
) -> None:
    """Maximum of every group, then the sum relative to it; ``group`` numbers the group of every column."""
    dtype, width, zero = scores.dtype, group.size, scores.dtype.type(0)
    x, total = np.zeros(width * ROWS, dtype), np.zeros(num_groups[0] * ROWS, dtype)
    peak, lines = np.empty(num_groups[0] * ROWS, dtype), np.zeros(STRIP * ROWS, dtype)
    for begin in range(first, last, ROWS):
        rows = min(ROWS, last - begin)
        peak[:], total[:] = -np.inf, 0.0
        for c in range(0, width, STRIP):
            count = min(STRIP, width - c)
            read_lines(scores, begin, rows, c, count, x[c * ROWS :])
            for i in range(c, c + count):
                line_max(peak, group[i], x, i, x, i)
        for c in range(0, width, STRIP):
            count = min(STRIP, width - c)
            for i in range(count):
                line_is_excess(lines, i, x, c + i, peak, group[c + i])
            x[c * ROWS : (c + count) * ROWS] = lines[: count * ROWS]
            exp_in_place(lines[: count * ROWS])
            for i in range(count):
                line_plus(total, group[c + i], lines, i, lines, i)
        for i in range(total.size):
            total[i] = fast_log(total[i]) if total[i] != zero else zero  # empty sum: the members are already -inf
        for c in range(0, width, STRIP):
            count = min(STRIP, width - c)
            for i in range(count):
                line_is_excess(lines, i, x, c + i, total, group[c + i])
            write_lines(lines, count, out, begin, rows, c)


@kernel
def sibling_log_softmax_gradient_rows(
    first: int, last: int, out: Floats, group: Nodes, num_groups: Nodes, by_child: Floats, grad: Floats
) -> None:
    """The incoming gradient minus the softmax times the group's sum of it."""
    total, lines = np.empty(num_groups[0] * ROWS, out.dtype), np.zeros(STRIP * ROWS, out.dtype)
    for begin in range(first, last, ROWS):
        rows = min(ROWS, last - begin)
        total[:] = 0.0
        for c in range(0, group.size, STRIP):
            of = group[c : c + STRIP]
            read_lines(by_child, begin, rows, c, of.size, lines)
            for i in range(of.size):
                line_plus(total, of[i], lines, i, lines, i)
        gather_lines(total, group, lines, grad, begin, rows)
        for j in range(begin, begin + rows):
            y, g, result = out[j], by_child[j], grad[j]
            for i in range(y.size):
                result[i] = g[i] - fast_exp(y[i]) * result[i]
