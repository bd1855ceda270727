"""Kernels in numba: the operations of this package for rows ``first`` to ``last`` of arrays, written in place.

Import it through :func:`cladewise.ops.kernels.kernels_for` alone, since numba is optional and slow to load. All
log-sum-exps are relative to the largest value of their own range, so no input needs another way.

What makes them fast is that LLVM turns the inner loops into vector instructions, and these habits are what lets it:
exponentials and logarithms are polynomials (:func:`exp`, :func:`log`), maxima compare floats as the integers of their
bits, loops run over slices from 0, and what is looked up by an index is looked up in a loop of its own. In passes up
the tree each step waits for the one before, so they treat ``ROWS`` rows side by side.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np
from numba import types
from numba.extending import intrinsic, overload
from numpy.typing import NDArray

F = TypeVar("F", bound=Callable[..., Any])
Floats = NDArray[Any]
Nodes = NDArray[np.int64]

ROWS = 8
"""Rows that go up the tree side by side: one row alone would wait for every sum before it could begin the next."""
PIECE = 4096
"""Values summed in single precision before the sum goes on in double."""
TRUSTED = 1e-25
"""Sums from here on lack nothing: what underflows relative to 1, below e^-87, is less than 1e-12 of them."""


def _kernel(function: F) -> F:
    options: dict[str, Any] = {
        "nogil": True,
        "error_model": "numpy",
        "fastmath": {"reassoc", "contract", "nsz"},  # sums in any order; but nan and infinities stay what they are
    }
    try:
        return cast(F, numba.njit(cache=True, **options)(function))
    except RuntimeError:  # no folder to keep it in
        return cast(F, numba.njit(**options)(function))


def _instruction(function: Callable[..., Any]) -> Callable[[Any], Any]:
    """An operation that Python has no word for, of one argument; the first of the definition is numba's own."""
    return cast(Callable[[Any], Any], intrinsic(function))


# ---------------------------------------------------------------- arithmetic


@_instruction
def _power_of_two(typingctx: Any, n: Any) -> Any:
    """2^n in single precision, for a normal result."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        integer = context.get_value_type(types.int32)
        biased = builder.add(args[0], integer(127))
        return builder.bitcast(builder.shl(biased, integer(23)), context.get_value_type(types.float32))

    return types.float32(types.int32), codegen


@_instruction
def _exponent(typingctx: Any, x: Any) -> Any:
    """The n for which x / 2^n is in [sqrt(1/2), sqrt(2)), for a normal x in single precision."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        integer = context.get_value_type(types.int32)
        bits = builder.bitcast(args[0], integer)
        return builder.ashr(builder.sub(bits, integer(0x3F3504F3)), integer(23))

    return types.int32(types.float32), codegen


@_instruction
def _ordered(typingctx: Any, x: Any) -> Any:
    """An integer that grows with the float: maxima of integers become vector instructions, and need no rule for nan."""
    integer = types.int32 if x is types.float32 else types.int64

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = context.get_value_type(integer)
        bits = builder.bitcast(args[0], kind)
        sign = builder.ashr(bits, kind(kind.width - 1))
        return builder.xor(bits, builder.lshr(sign, kind(1)))

    return integer(x), codegen


@_instruction
def _unordered(typingctx: Any, key: Any) -> Any:
    """The float of an integer from :func:`_ordered`."""
    floating = types.float32 if key is types.int32 else types.float64

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = context.get_value_type(key)
        sign = builder.ashr(args[0], kind(kind.width - 1))
        bits = builder.xor(args[0], builder.lshr(sign, kind(1)))
        return builder.bitcast(bits, context.get_value_type(floating))

    return floating(key), codegen


def exp(x: Any) -> Any:
    """Exponential of x <= 0, or a rounding error above; 0 below -87 in single precision."""
    return math.exp(x)


def _libm_exp(x: Any) -> Any:
    return math.exp(x)


@overload(exp)
def _exp(x: Any) -> Any:
    if x is not types.float32:
        return _libm_exp

    def single(x: Any) -> Any:
        low = np.float32(-87.0)
        y = max(x, low)
        n = np.int32(y * np.float32(1.44269504) - np.float32(0.5))  # to the nearest, for y <= 0
        k = np.float32(n)
        r = (y - k * np.float32(0.693359375)) - k * np.float32(-2.12194440e-4)
        p = np.float32(1.9875691500e-4)
        p = p * r + np.float32(1.3981999507e-3)
        p = p * r + np.float32(8.3334519073e-3)
        p = p * r + np.float32(4.1665795894e-2)
        p = p * r + np.float32(1.6666665459e-1)
        p = p * r + np.float32(5.0000001201e-1)
        e = (p * r * r + r + np.float32(1.0)) * _power_of_two(n)
        return e if x > low else (np.float32(0.0) if x <= low else x)  # nan stays nan

    return single


def log(x: Any) -> Any:
    """Logarithm of x >= 1."""
    return math.log(x)


def _libm_log(x: Any) -> Any:
    return math.log(x)


@overload(log)
def _log(x: Any) -> Any:
    if x is not types.float32:
        return _libm_log

    def single(x: Any) -> Any:
        n = _exponent(x)
        k = np.float32(n)
        m = x * _power_of_two(-n) - np.float32(1.0)
        z = m * m
        p = np.float32(7.0376836292e-2)
        p = p * m - np.float32(1.1514610310e-1)
        p = p * m + np.float32(1.1676998740e-1)
        p = p * m - np.float32(1.2420140846e-1)
        p = p * m + np.float32(1.4249322787e-1)
        p = p * m - np.float32(1.6668057665e-1)
        p = p * m + np.float32(2.0000714765e-1)
        p = p * m - np.float32(2.4999993993e-1)
        p = p * m + np.float32(3.3333331174e-1)
        p = p * m * z - np.float32(0.5) * z + k * np.float32(-2.12194440e-4)
        r = m + p + k * np.float32(0.693359375)
        return r if x < np.float32(np.inf) else x

    return single


@_kernel
def _largest(values: Floats, largest: Any) -> Any:
    key = _ordered(largest)
    for i in range(values.size):
        key = max(key, _ordered(values[i]))
    return _unordered(key)


@_kernel
def _sum_of_exp(values: Floats, shift: Any) -> float:
    total = 0.0
    for begin in range(0, values.size, PIECE):
        piece = values[begin : begin + PIECE]
        part = values.dtype.type(0)
        for i in range(piece.size):
            part += exp(piece[i] - shift)
        total += part
    return total


@_kernel
def _scaled_exp(values: Floats, shift: Any, scale: Any, result: Floats) -> None:
    for i in range(values.size):
        result[i] = scale * exp(values[i] - shift)


@_kernel
def _finite(x: Any) -> Any:
    """What to subtract before the exponential: -inf would leave nan. Other infinities do leave it, to be seen."""
    return x if x != -np.inf else np.float32(0.0)


# ---------------------------------------------------------------- nested ranges


@_kernel
def nested_logsumexp(first: int, last: int, values: Floats, starts: Nodes, ends: Nodes, out: Floats) -> None:
    """Ring by ring from the innermost range outwards, with a running maximum and a sum relative to it.

    ``out`` is in double precision, so that large results do not cost the gradient its last digits.
    """
    for row in range(first, last):
        x = values[row]
        begin = end = starts[row, -1]
        peak, total = x.dtype.type(-np.inf), 0.0
        for k in range(starts.shape[1] - 1, -1, -1):
            left, right = x[starts[row, k] : begin], x[end : ends[row, k]]
            begin, end = starts[row, k], ends[row, k]
            higher = _largest(right, _largest(left, peak))
            if higher != peak:
                total *= math.exp(peak - higher)
                peak = higher
            shift = _finite(peak)
            total += _sum_of_exp(left, shift) + _sum_of_exp(right, shift)
            out[row, k] = shift + np.log(total)


@_kernel
def nested_logsumexp_gradient(
    first: int, last: int, values: Floats, starts: Nodes, ends: Nodes, out: Floats, by_range: Floats, grad: Floats
) -> None:
    """The weight of a ring is that of all ranges around it, each discounted by the ring's share of it."""
    num_ranges = starts.shape[1]
    for row in range(first, last):
        x, g, y = values[row], grad[row], out[row]
        weight = 0.0
        for k in range(num_ranges):
            if k > 0:
                weight *= math.exp(y[k] - _finite(y[k - 1]))
            weight += by_range[row, k]
            shift = x.dtype.type(_finite(y[k]))
            scale = x.dtype.type(weight * math.exp(shift - _finite(y[k])))
            begin, end = starts[row, k], ends[row, k]
            inner = starts[row, k + 1] if k + 1 < num_ranges else end
            outer = ends[row, k + 1] if k + 1 < num_ranges else end
            _scaled_exp(x[begin:inner], shift, scale, g[begin:inner])
            _scaled_exp(x[outer:end], shift, scale, g[outer:end])


# ---------------------------------------------------------------- children of one node


@_kernel
def path_sibling_nll(
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
    """Per edge of the target's path its group's log-sum-exp (``norm``, double), and what that exceeds the child by."""
    for row in range(first, last):
        x = scores[row]
        node = target[row]
        while node > 0:
            above = parents[node]
            group = children[child_start[above] : child_start[above + 1]]
            place = depth[node] - 1
            if group.size == 1:
                norm[row, place] = x[node - 1]
                out[row, place] = abs(x[node - 1] - _finite(x[node - 1]))  # 0, or inf, or nan
            else:
                peak = x.dtype.type(-np.inf)
                for i in range(group.size):
                    peak = max(peak, x[group[i] - 1])
                shift = _finite(peak)
                total = 0.0
                for i in range(group.size):
                    total += exp(x[group[i] - 1] - shift)
                norm[row, place] = shift + np.log(total)
                own = x[node - 1]
                out[row, place] = norm[row, place] - own if own != -np.inf else np.inf
            node = above


@_kernel
def path_sibling_nll_gradient(
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
    """Softmax less one-hot in every group of the path, and 0 elsewhere."""
    for row in range(first, last):
        x, g = scores[row], grad[row]
        g[:] = 0.0
        node = target[row]
        while node > 0:
            above = parents[node]
            group = children[child_start[above] : child_start[above + 1]]
            place = depth[node] - 1
            weight, exact = by_edge[row, place], _finite(norm[row, place])
            shift = x.dtype.type(exact)
            scale = x.dtype.type(weight * math.exp(shift - exact))
            if group.size > 1:
                for i in range(group.size):
                    g[group[i] - 1] = scale * exp(x[group[i] - 1] - shift)
                g[node - 1] -= weight
            node = above


@_kernel
def sibling_log_softmax(first: int, last: int, scores: Floats, parents: Nodes, out: Floats) -> None:
    """Maximum, then sum relative to it, of every group: at the parent."""
    zero, nothing = scores.dtype.type(0), scores.dtype.type(-np.inf)
    num_nodes = parents.size
    share = np.zeros((ROWS, num_nodes), scores.dtype)
    peak, total = np.empty((ROWS, num_nodes), scores.dtype), np.empty((ROWS, num_nodes), scores.dtype)
    for begin in range(first, last, ROWS):
        rows = min(ROWS, last - begin)
        share[:rows, 1:] = scores[begin : begin + rows]
        peak[:] = nothing
        total[:] = zero
        for v in range(1, num_nodes):
            above, node = np.uint64(parents[v]), np.uint64(v)
            for j in range(ROWS):
                x = share[j, node]
                peak[j, above] = x if x > peak[j, above] else peak[j, above]
        for j in range(rows):
            _or_zero(peak[j])
            x, y, e, m, s = scores[begin + j], out[begin + j], share[j], peak[j], total[j]
            _look_up(m, parents, e)
            for i in range(y.size):
                y[i] = x[i] - e[i + 1]
            for i in range(y.size):
                e[i + 1] = exp(y[i])
        for v in range(1, num_nodes):
            above, node = np.uint64(parents[v]), np.uint64(v)
            for j in range(ROWS):
                total[j, above] += share[j, node]
        for j in range(rows):
            y, e, s = out[begin + j], share[j], total[j]
            for v in range(s.size):
                s[v] = log(s[v]) if s[v] > zero else s[v]  # of nothing: 0, and the children are -inf already
            _look_up(s, parents, e)
            for i in range(y.size):
                y[i] -= e[i + 1]


@_kernel
def sibling_log_softmax_gradient(
    first: int, last: int, out: Floats, parents: Nodes, by_child: Floats, grad: Floats
) -> None:
    """What arrives, less the group's sum of it in proportion to the softmax."""
    given, total = np.zeros((ROWS, parents.size), out.dtype), np.empty((ROWS, parents.size), out.dtype)
    for begin in range(first, last, ROWS):
        rows = min(ROWS, last - begin)
        given[:rows, 1:] = by_child[begin : begin + rows]
        total[:] = out.dtype.type(0)
        for v in range(1, parents.size):
            above, node = np.uint64(parents[v]), np.uint64(v)
            for j in range(ROWS):
                total[j, above] += given[j, node]
        for j in range(rows):
            y, g, result, t = out[begin + j], by_child[begin + j], grad[begin + j], given[j]
            _look_up(total[j], parents, t)
            for i in range(result.size):
                result[i] = g[i] - exp(y[i]) * t[i + 1]


# ---------------------------------------------------------------- subtrees and paths


@_kernel
def _or_zero(values: Floats) -> None:
    """Nothing to subtract where there is nothing: -inf would leave nan."""
    zero, nothing = values.dtype.type(0), values.dtype.type(-np.inf)
    for i in range(values.size):
        values[i] = values[i] if values[i] != nothing else zero


@_kernel
def _look_up(values: Floats, places: Nodes, result: Floats) -> None:
    """Take the values at some places; the first of them, which may be the root's missing parent, apart."""
    result[0] = values[max(places[0], 0)]
    for i in range(1, places.size):
        result[i] = values[np.uint64(places[i])]


@_kernel
def _sum_up(values: Floats, parents: Nodes) -> None:
    """Add every node to its parent in reverse pre-order, where it is complete by then."""
    for v in range(parents.size - 1, 0, -1):
        above, node = np.uint64(parents[v]), np.uint64(v)
        for j in range(ROWS):
            values[j, above] += values[j, node]


@_kernel
def _max_up(values: Floats, parents: Nodes) -> None:
    """As :func:`_sum_up`; nan is seen where it meets a smaller maximum only, but see it where sums follow."""
    for v in range(parents.size - 1, 0, -1):
        above, node = np.uint64(parents[v]), np.uint64(v)
        for j in range(ROWS):
            x = values[j, node]
            values[j, above] = x if x > values[j, above] else values[j, above]


@_kernel
def subtree_sum(first: int, last: int, values: Floats, parents: Nodes, out: Floats) -> None:
    """Sum over every node and all below it."""
    tile = np.zeros((ROWS, parents.size), values.dtype)
    for begin in range(first, last, ROWS):
        rows = min(ROWS, last - begin)
        tile[:rows] = values[begin : begin + rows]
        _sum_up(tile, parents)
        out[begin : begin + rows] = tile[:rows]


@_kernel
def path_sum(first: int, last: int, values: Floats, parents: Nodes, out: Floats) -> None:
    """Sum over every node and all above it: down the tree in pre-order."""
    for row in range(first, last):
        x, y = values[row], out[row]
        y[0] = x[0]
        for v in range(1, x.size):
            y[v] = x[v] + y[np.uint64(parents[v])]


@_kernel
def subtree_logsumexp(first: int, last: int, values: Floats, nodes: Nodes, parents: Nodes, out: Floats) -> None:
    """Plain sums relative to the row's maximum; rows in which they come out too small are done once more.

    ``nodes`` are those that the values belong to, ascending; the others have nothing of their own.
    """
    zero = values.dtype.type(0)
    total = np.zeros((ROWS, parents.size), values.dtype)
    again, num_again = np.empty(last - first, np.int64), 0
    spread = nodes.size != parents.size
    for begin in range(first, last, ROWS):
        rows = min(ROWS, last - begin)
        for j in range(rows):
            x, s = values[begin + j], total[j]
            shift = _finite(_largest(x, values.dtype.type(-np.inf)))
            if spread:
                y = out[begin + j]
                for i in range(x.size):
                    y[i] = exp(x[i] - shift)
                s[:] = zero
                for i in range(x.size):
                    s[np.uint64(nodes[i])] = y[i]
            else:
                for i in range(x.size):
                    s[i] = exp(x[i] - shift)
        _sum_up(total, parents)
        for j in range(rows):
            x, s, y = values[begin + j], total[j], out[begin + j]
            shift = _finite(_largest(x, values.dtype.type(-np.inf)))
            smallest = s[0]
            for v in range(s.size):
                smallest = min(smallest, s[v])
            if smallest >= TRUSTED and s[0] < np.inf:
                for v in range(s.size):
                    y[v] = shift + log(s[v])
            else:
                again[num_again] = begin + j
                num_again += 1
    for begin in range(0, num_again, ROWS):
        _subtree_logsumexp(values, again[begin : min(begin + ROWS, num_again)], nodes, parents, out)


@_kernel
def _subtree_logsumexp(values: Floats, rows: Nodes, nodes: Nodes, parents: Nodes, out: Floats) -> None:
    """First the maximum of every subtree, then sums relative to it, rescaled from node to parent."""
    zero, nothing = values.dtype.type(0), values.dtype.type(-np.inf)
    peak, step = np.empty((ROWS, parents.size), values.dtype), np.zeros((ROWS, parents.size), values.dtype)
    total = np.zeros((ROWS, parents.size), values.dtype)
    peak[:] = nothing
    for j in range(rows.size):
        x, m = values[rows[j]], peak[j]
        for i in range(x.size):
            m[np.uint64(nodes[i])] = x[i]
        total[j] = m
    _max_up(peak, parents)
    for j in range(rows.size):
        m, s, t = peak[j], total[j], step[j]
        _look_up(m, parents, t)
        _or_zero(t)
        for v in range(t.size):
            t[v] = exp(m[v] - t[v])
        _or_zero(m)
        for v in range(t.size):
            s[v] = exp(s[v] - m[v])
    for v in range(parents.size - 1, 0, -1):
        above, node = np.uint64(parents[v]), np.uint64(v)
        for j in range(ROWS):
            total[j, above] += total[j, node] * step[j, node]
    for j in range(rows.size):
        m, s, y = peak[j], total[j], out[rows[j]]
        for v in range(y.size):
            y[v] = m[v] + log(s[v]) if s[v] > zero else s[v] + nothing


@_kernel
def subtree_logsumexp_gradient(
    first: int, last: int, values: Floats, nodes: Nodes, parents: Nodes, out: Floats, by_node: Floats, grad: Floats
) -> None:
    """Down the tree: what reaches a node is its own, and its share of what reaches its parent."""
    shift, step = np.empty(parents.size, values.dtype), np.empty(parents.size, values.dtype)
    flow = np.empty(parents.size, values.dtype)
    one = values.dtype.type(1)
    for row in range(first, last):
        x, y, g, result = values[row], out[row], by_node[row], grad[row]
        top = _finite(y[0])
        for v in range(y.size):
            step[v] = exp(y[v] - top)
        smallest = one
        for v in range(y.size):
            smallest = min(smallest, step[v])
        if smallest >= TRUSTED:
            shift[:] = top
            for v in range(y.size):
                step[v] = g[v] / step[v]
            flow[0] = step[0]
            for v in range(1, flow.size):
                flow[v] = step[v] + flow[np.uint64(parents[v])]
        else:
            shift[:] = y
            _or_zero(shift)
            _look_up(shift, parents, step)
            for v in range(y.size):
                step[v] = exp(y[v] - step[v])
            flow[0] = g[0]
            for v in range(1, flow.size):
                flow[v] = g[v] + step[v] * flow[np.uint64(parents[v])]
        if nodes.size == parents.size:
            for v in range(result.size):
                result[v] = flow[v] * exp(x[v] - shift[v])
        else:
            _look_up(shift, nodes, step)
            for i in range(result.size):
                result[i] = exp(x[i] - step[i])
            for i in range(result.size):
                result[i] *= flow[np.uint64(nodes[i])]


# ---------------------------------------------------------------- pairs of nodes


@_kernel
def lca(first: int, last: int, one: Nodes, other: Nodes, parents: Nodes, out: Nodes) -> None:
    """The later of two nodes in pre-order is no ancestor of the other, so it steps up until they meet."""
    for i in range(first, last):
        u, v = one[i], other[i]
        while u != v:
            if u > v:
                u = parents[np.uint64(u)]
            else:
                v = parents[np.uint64(v)]
        out[i] = u
