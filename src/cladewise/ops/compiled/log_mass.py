"""Kernels of :mod:`cladewise.ops.log_mass`: weighted sums of log-masses over all subtrees."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from cladewise.ops.compiled.decorators import Floats, Nodes, kernel
from cladewise.ops.compiled.exponentials import exp_in_place, fast_log
from cladewise.ops.compiled.lines import ROWS, line_is, line_is_excess, line_is_product, line_plus, line_plus_product
from cladewise.ops.compiled.reductions import ordered, unordered
from cladewise.ops.compiled.subtree import log_mass_tile
from cladewise.ops.compiled.tiles import STRIP, read_lines, write_lines


@kernel
def _fill_rings(
    starts: Nodes, ends: Nodes, by_ring: Floats, patterns: Floats, on_path: Floats, scale: float, weights: Floats
) -> float:
    """Weights of all nodes for one image, times ``scale``; returns their sum."""
    num_patterns, last = patterns.shape[0], starts.size - 1
    total = 0.0
    for k in range(last + 1):
        inner = starts[k + 1] if k < last else ends[k]
        outer = ends[k + 1] if k < last else ends[k]
        for half in range(2):
            begin, end = (starts[k], inner) if half == 0 else (outer, ends[k])
            if begin == end:
                continue
            to, part = weights[begin:end], 0.0
            factor, pattern = scale * by_ring[k, 0], patterns[0, begin:end]
            for i in range(to.size):
                to[i] = factor * pattern[i]
                part += factor * pattern[i]
            for s in range(1, num_patterns):  # in double precision, since their sum may nearly cancel
                factor, other = scale * by_ring[k, s], patterns[s, begin:end]
                if factor != 0.0:
                    first = scale * by_ring[k, 0]
                    part = 0.0
                    for i in range(to.size):
                        both = first * pattern[i] + factor * other[i]
                        to[i] = both
                        part += both
            total += part
    for k in range(last + 1):
        if on_path[k] != 0.0:
            more = scale * on_path[k]
            weights[starts[k]] += more
            total += more
    return total


@kernel
def ring_weights_rows(
    first: int,
    last: int,
    out: Floats,
    starts: Nodes,
    ends: Nodes,
    by_ring: Floats,
    patterns: Floats,
    on_path: Floats,
) -> None:
    """The weights of all nodes."""
    for row in range(first, last):
        _fill_rings(starts[row], ends[row], by_ring[row], patterns, on_path[row], 1.0, out[row])


@kernel
def _is_narrow(values: Floats, widest: float) -> tuple[bool, Any]:
    """Whether no two values are further apart, and the largest."""
    key = least = ordered(values[0])
    for i in range(values.size):
        own = ordered(values[i])
        key, least = max(key, own), min(least, own)
    high = unordered(key)
    return high - unordered(least) <= widest, high  # nan and infinities are not


@kernel
def _sum_of_tile(
    values: Floats, high: Floats, begin: int, rows: int, nodes: Nodes, parents: Nodes, exps: Floats, sums: Floats
) -> None:
    """Exponentials of some rows relative to the largest of each, and their sums over all subtrees, as lines.

    There are no conditions: which node is a leaf is as good as random, and a wrong guess costs more than arithmetic.
    """
    if nodes.size < parents.size:
        sums[:] = 0.0
    for c in range(0, nodes.size, STRIP):
        at = nodes[c : c + STRIP]
        lines = exps[c * ROWS : (c + at.size) * ROWS]
        read_lines(values, begin, rows, c, at.size, lines)
        for i in range(at.size):
            line_is_excess(lines, i, lines, i, high, 0)
        exp_in_place(lines)
        for i in range(at.size):
            line_is(sums, at[i], lines, i, lines, i)
    for v in range(parents.size - 1, 0, -1):
        line_plus(sums, parents[v], sums, v, sums, v)


@kernel
def ring_log_mass_rows(
    first: int,
    last: int,
    values: Floats,
    widest: Floats,
    nodes: Nodes,
    inner: Nodes,
    parents: Nodes,
    starts: Nodes,
    ends: Nodes,
    by_ring: Floats,
    patterns: Floats,
    on_path: Floats,
    out: Floats,
    grad: Floats,
) -> None:
    """Dot product of weights that follow a path and of log-probabilities, and its gradient unless ``grad`` is empty.

    Plain sums serve rows with no two values further apart than ``widest``; others need a maximum for every node.
    """
    num_nodes, width, dtype = parents.size, nodes.size, values.dtype
    weights, total = np.zeros((ROWS, num_nodes), dtype), np.zeros(ROWS)
    exps, sums = np.zeros(max(width, inner.size) * ROWS, dtype), np.zeros(num_nodes * ROWS, dtype)
    flow, lines = np.zeros(num_nodes * ROWS, dtype), np.zeros(STRIP * ROWS, dtype)
    logs, part, whole = np.zeros(STRIP * ROWS, dtype), np.zeros(ROWS * ROWS, dtype), np.zeros(ROWS)
    high = np.zeros(ROWS, dtype)
    for row in range(first, last, ROWS):
        rows = min(ROWS, last - row)
        narrow = True
        for r in range(rows):
            k = row + r
            is_narrow, high[r] = _is_narrow(values[k], widest[0])
            narrow = narrow and is_narrow
            total[r] = _fill_rings(starts[k], ends[k], by_ring[k], patterns, on_path[k], 1.0, weights[r])
        if narrow:
            _sum_of_tile(values, high, row, rows, nodes, parents, exps, sums)
        else:
            own = exps[: inner.size * ROWS]
            log_mass_tile(values, row, rows, nodes, inner, parents, sums, flow, own, lines)
        for r in range(ROWS):
            whole[r] = -total[r] * (math.log(sums[r]) if narrow else sums[r])
        for c in range(0, num_nodes, STRIP):
            count = min(STRIP, num_nodes - c)
            read_lines(weights, 0, ROWS, c, count, lines)
            some, here = sums[c * ROWS : (c + count) * ROWS], flow[c * ROWS : (c + count) * ROWS]
            for i in range(some.size):
                logs[i] = fast_log(some[i]) if narrow else some[i]
            part[:] = 0.0
            for i in range(count):
                line_plus_product(part, i % ROWS, logs, i, lines, i)
            for i in range(ROWS):
                for r in range(ROWS):
                    whole[r] += part[i * ROWS + r]
            if grad.size == 0:
                continue
            if c == 0:
                for r in range(rows):
                    lines[r] -= total[r]  # the root's log-mass is subtracted from every term
            if narrow:
                for i in range(some.size):
                    here[i] = lines[i] / some[i]
                for v in range(max(c, 1), c + count):
                    line_plus(flow, v, flow, parents[v], flow, parents[v])
            else:
                for i in range(count):
                    line_is(flow, c + i, lines, i, lines, i)
                    line_is_excess(logs, i, sums, c + i, sums, max(parents[c + i], 0))
                exp_in_place(logs[: count * ROWS])
                for v in range(max(c, 1), c + count):
                    line_plus_product(flow, v, flow, parents[v], logs, v - c)
        for r in range(rows):
            out[row + r] = whole[r]
        for c in range(0, width if grad.size else 0, STRIP):
            at = nodes[c : c + STRIP]
            if narrow:
                for i in range(at.size):
                    line_is_product(lines, i, exps, c + i, flow, at[i])
            else:
                read_lines(values, row, rows, c, at.size, lines)
                for i in range(at.size):
                    line_is_excess(lines, i, lines, i, sums, at[i])
                exp_in_place(lines[: at.size * ROWS])
                for i in range(at.size):
                    line_is_product(lines, i, lines, i, flow, at[i])
            write_lines(lines, at.size, grad, row, rows, c)
