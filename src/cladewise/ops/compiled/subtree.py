"""Kernels of :mod:`cladewise.ops.subtree`: sums and log-sum-exps over subtrees, and sums along paths."""

from __future__ import annotations

import numpy as np

from cladewise.ops.compiled.decorators import Floats, Nodes, kernel
from cladewise.ops.compiled.exponentials import exp_in_place, fast_exp, fast_log
from cladewise.ops.compiled.lines import ROWS, line_is, line_is_excess, line_max, line_plus_multiple, line_plus_product
from cladewise.ops.compiled.tiles import STRIP, gather_lines, read_lines, scatter_lines, write_lines


@kernel
def subtree_sum_rows(
    first: int, last: int, values: Floats, nodes: Nodes, parents: Nodes, share: Floats, at: Nodes, out: Floats
) -> None:
    """Discounted subtree sums: values at ``nodes``, results at ``at``."""
    tile, lines = np.empty(parents.size * ROWS, values.dtype), np.zeros(STRIP * ROWS, values.dtype)
    for begin in range(first, last, ROWS):
        rows = min(ROWS, last - begin)
        tile[:] = 0.0
        scatter_lines(values, begin, rows, nodes, lines, tile)
        for v in range(parents.size - 1, 0, -1):  # in reverse pre-order a node is complete before its parent
            line_plus_multiple(tile, parents[v], tile, v, share, 0)
        gather_lines(tile, at, lines, out, begin, rows)


@kernel
def path_sum_rows(
    first: int, last: int, values: Floats, nodes: Nodes, parents: Nodes, share: Floats, at: Nodes, out: Floats
) -> None:
    """Discounted path sums: values at ``nodes``, results at ``at``."""
    tile, lines = np.empty(parents.size * ROWS, values.dtype), np.zeros(STRIP * ROWS, values.dtype)
    for begin in range(first, last, ROWS):
        rows = min(ROWS, last - begin)
        tile[:] = 0.0
        scatter_lines(values, begin, rows, nodes, lines, tile)
        for v in range(1, parents.size):
            line_plus_multiple(tile, v, tile, parents[v], share, 0)
        gather_lines(tile, at, lines, out, begin, rows)


@kernel
def log_mass_tile(
    values: Floats,
    begin: int,
    rows: int,
    nodes: Nodes,
    inner: Nodes,
    parents: Nodes,
    tile: Floats,
    total: Floats,
    own: Floats,
    lines: Floats,
) -> None:
    """Compute the maximum of every subtree, then the sum relative to it, rescaled from node to parent.

    ``nodes`` have the values, ascending: all of them, or the leaves. ``inner`` are those that are no leaves: of a leaf
    its own exponential, relative to its maximum, is 1. ``tile`` holds maxima, and logarithms in the end.
    """
    num_nodes, zero = parents.size, values.dtype.type(0)
    tile[:], total[:], own[:] = -np.inf, 1.0, 0.0
    scatter_lines(values, begin, rows, nodes, lines, tile)
    with_inner = nodes.size > num_nodes - inner.size
    if with_inner:
        for i in range(inner.size):
            line_is(own, i, tile, inner[i], tile, inner[i])
    for v in range(num_nodes - 1, 0, -1):
        line_max(tile, parents[v], tile, v, tile, v)
    if with_inner:
        for i in range(inner.size):
            line_is_excess(own, i, own, i, tile, inner[i])
        exp_in_place(own)
    for i in range(inner.size):
        line_is(total, inner[i], own, i, own, i)
    for c in range((num_nodes - 1) // STRIP * STRIP, -1, -STRIP):
        count = min(STRIP, num_nodes - c)
        for i in range(count):
            line_is_excess(lines, i, tile, c + i, tile, max(parents[c + i], 0))
        exp_in_place(lines[: count * ROWS])
        for i in range(count - 1, -1, -1):
            if c + i > 0:
                line_plus_product(total, parents[c + i], total, c + i, lines, i)
        m, s = tile[c * ROWS : (c + count) * ROWS], total[c * ROWS : (c + count) * ROWS]
        for i in range(m.size):
            m[i] += fast_log(s[i]) if s[i] != zero else zero  # empty sum: the maximum is already -inf


@kernel
def subtree_logsumexp_rows(
    first: int, last: int, values: Floats, nodes: Nodes, inner: Nodes, parents: Nodes, out: Floats
) -> None:
    """Log-sum-exp over every subtree, relative to its own maximum."""
    num_nodes, dtype = parents.size, values.dtype
    tile, total = np.empty(num_nodes * ROWS, dtype), np.empty(num_nodes * ROWS, dtype)
    own, lines = np.zeros(inner.size * ROWS, dtype), np.zeros(STRIP * ROWS, dtype)
    for begin in range(first, last, ROWS):
        rows = min(ROWS, last - begin)
        log_mass_tile(values, begin, rows, nodes, inner, parents, tile, total, own, lines)
        write_lines(tile, num_nodes, out, begin, rows, 0)


@kernel
def subtree_logsumexp_gradient_rows(
    first: int, last: int, values: Floats, nodes: Nodes, parents: Nodes, out: Floats, by_node: Floats, grad: Floats
) -> None:
    """Propagate down the tree: a node's flow is its own gradient plus its share of its parent's flow."""
    num_nodes, dtype = parents.size, values.dtype
    zero, nothing = dtype.type(0), dtype.type(-np.inf)
    y, flow = np.zeros(num_nodes * ROWS, dtype), np.zeros(num_nodes * ROWS, dtype)
    lines = np.zeros(STRIP * ROWS, dtype)
    for begin in range(first, last, ROWS):
        rows = min(ROWS, last - begin)
        for c in range(0, num_nodes, STRIP):
            count = min(STRIP, num_nodes - c)
            read_lines(out, begin, rows, c, count, y[c * ROWS :])
            read_lines(by_node, begin, rows, c, count, flow[c * ROWS :])
            for i in range(count):
                line_is_excess(lines, i, y, c + i, y, max(parents[c + i], 0))
            exp_in_place(lines[: count * ROWS])
            for i in range(1 if c == 0 else 0, count):
                line_plus_product(flow, c + i, flow, parents[c + i], lines, i)
        gather_lines(flow, nodes, lines, grad, begin, rows)
        for j in range(begin, begin + rows):
            x, g = values[j], grad[j]
            if nodes.size == num_nodes:
                top = out[j]
                for i in range(g.size):
                    y_i, g_i = top[i], g[i]
                    g[i] = g_i * fast_exp(x[i] - (y_i if y_i != nothing else zero))
            else:  # a leaf has no other share
                for i in range(g.size):
                    g_i = g[i]
                    g[i] = g_i if x[i] != nothing else zero
