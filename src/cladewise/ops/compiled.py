"""Kernels in numba: the operations of this package for rows ``first`` to ``last`` of arrays, written in place.

:mod:`cladewise.ops.kernels` alone imports it, since numba is optional and slow to load. All log-sum-exps are relative
to the largest value of their own range, so no input needs another way.

They are fast because LLVM vectorises the inner loops. To let it, exponentials and logarithms are polynomials
(:func:`fast_exp`, :func:`fast_log`), maxima compare floats by the integers of their bits, loops run over slices from 0,
and both operands of a condition are read before it. Recursions from node to node along a row cannot be vectorised, so
there ``ROWS`` rows are processed side by side in a *tile*: one line of ``ROWS`` values per node, stored consecutively.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, overload
from numpy.typing import NDArray

F = TypeVar("F", bound=Callable[..., Any])
Floats = NDArray[Any]
Nodes = NDArray[np.int64]

ROWS = 8
"""Rows that go through a tree side by side."""
STRIP = 256
"""Lines of a tile that are treated at a time, so that they stay in the fastest cache; a multiple of ``ROWS``."""
LARGE = 2.0**40
"""Scale of small probabilities, so that their products with others do not underflow."""
PIECE = 4096
"""Values summed in single precision before the sum goes on in double."""


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


def _instruction(function: Callable[..., Any]) -> Callable[..., Any]:
    """An operation that Python has no word for; the first argument of the definition is numba's own."""
    return cast(Callable[..., Any], intrinsic(function))


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


def fast_exp(x: Any) -> Any:
    """Exponential of x <= 0, or a rounding error above; 0 below -87 in single precision."""
    return math.exp(x)


def _libm_exp(x: Any) -> Any:
    return math.exp(x)


@overload(fast_exp)
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


def fast_log(x: Any) -> Any:
    """Logarithm of x >= 1."""
    return math.log(x)


def _libm_log(x: Any) -> Any:
    return math.log(x)


@overload(fast_log)
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
            part += fast_exp(piece[i] - shift)
        total += part
    return total


@_kernel
def _exp_and_sum(values: Floats, shift: Any) -> float:
    """Exponentials in place, and their sum."""
    total = 0.0
    for begin in range(0, values.size, PIECE):
        piece = values[begin : begin + PIECE]
        part = values.dtype.type(0)
        for i in range(piece.size):
            e = fast_exp(piece[i] - shift)
            piece[i] = e
            part += e
        total += part
    return total


@_kernel
def _scaled_exp(values: Floats, shift: Any, scale: Any, result: Floats) -> None:
    for i in range(values.size):
        result[i] = scale * fast_exp(values[i] - shift)


@_kernel
def _finite(x: Any) -> Any:
    """The shift before the exponential: 0 for -inf, which would give nan. Other infinities propagate."""
    return x if x != -np.inf else np.float32(0.0)


# ---------------------------------------------------------------- coordinates in a frame, by depth


@_kernel
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


@_kernel
def _slopes(values: Floats, sizes: Floats, peak: Any, scale: Any, constant: Any, slope: Any) -> None:
    """Gradient by each value, in place of its size, of a function of the sizes."""
    zero, one = values.dtype.type(0), values.dtype.type(1)
    for i in range(values.size):
        x = sizes[i]
        y = scale * fast_exp(x - peak) + constant + slope * x
        sign = one if values[i] > zero else (-one if values[i] < zero else zero)
        sizes[i] = y * sign


@_kernel
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
            peak = _largest(g[outer:end], _largest(g[begin:inner], peak))
            norms[k] = max(math.sqrt(squares + more_squares), tiny)
            offs[k] = (total + more - 2.0 * g[column[row, k]]) / norms[k]
            spread += 1.0 + offs[k] if k < m else total + more
        total = 0.0
        for k in range(num_depths):
            total += _sum_of_exp(g[bounds[k] : low[row, k]], peak)
            total += _sum_of_exp(g[high[row, k] : bounds[k + 1]], peak)
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


# ---------------------------------------------------------------- nested ranges


@_kernel
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
            higher = _largest(right, _largest(left, peak))
            if higher != peak:
                total *= math.exp(peak - higher)
                peak = higher
            shift = _finite(peak)
            total += _sum_of_exp(left, shift) + _sum_of_exp(right, shift)
            out[row, k] = shift + np.log(total)


@_kernel
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
                weight *= math.exp(y[k] - _finite(y[k - 1]))
            weight += by_range[row, k]
            shift = x.dtype.type(_finite(y[k]))
            scale = x.dtype.type(weight * math.exp(shift - _finite(y[k])))
            begin, end = starts[row, k], ends[row, k]
            inner = starts[row, k + 1] if k + 1 < num_ranges else end
            outer = ends[row, k + 1] if k + 1 < num_ranges else end
            _scaled_exp(x[begin:inner], shift, scale, g[begin:inner])
            _scaled_exp(x[outer:end], shift, scale, g[outer:end])


@_kernel
def ring_logsumexp_rows(first: int, last: int, values: Floats, starts: Nodes, ends: Nodes, out: Floats) -> None:
    """Log-sum-exp of each ring, relative to its own maximum; ``out`` is double."""
    for row in range(first, last):
        x = values[row]
        begin = end = starts[row, -1]
        for k in range(starts.shape[1] - 1, -1, -1):
            left, right = x[starts[row, k] : begin], x[end : ends[row, k]]
            begin, end = starts[row, k], ends[row, k]
            peak = _largest(right, _largest(left, x.dtype.type(-np.inf)))
            shift = _finite(peak)
            out[row, k] = shift + np.log(_sum_of_exp(left, shift) + _sum_of_exp(right, shift))


@_kernel
def ring_logsumexp_gradient_rows(
    first: int, last: int, values: Floats, starts: Nodes, ends: Nodes, out: Floats, by_ring: Floats, grad: Floats
) -> None:
    """Each value gets its share of its ring's weight."""
    for row in range(first, last):
        x, g = values[row], grad[row]
        begin = end = starts[row, -1]
        for k in range(starts.shape[1] - 1, -1, -1):
            exact = _finite(out[row, k])
            shift = x.dtype.type(exact)
            scale = x.dtype.type(by_ring[row, k] * math.exp(shift - exact))
            _scaled_exp(x[starts[row, k] : begin], shift, scale, g[starts[row, k] : begin])
            _scaled_exp(x[end : ends[row, k]], shift, scale, g[end : ends[row, k]])
            begin, end = starts[row, k], ends[row, k]


# ---------------------------------------------------------------- tiles


def _vector(context: Any, builder: Any, array_type: Any, array: Any, place: Any) -> Any:
    """Pointer to ``ROWS`` consecutive values of an array, as one vector."""
    value = context.get_value_type(array_type.dtype)
    data = context.make_array(array_type)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [place]), ir.VectorType(value, ROWS).as_pointer())


def _everywhere(context: Any, builder: Any, array_type: Any, array: Any, place: Any) -> Any:
    """One value of an array, broadcast to a line."""
    value = builder.load(builder.gep(context.make_array(array_type)(context, builder, array).data, [place]))
    line = ir.VectorType(value.type, ROWS)
    lone = builder.insert_element(ir.Constant(line, ir.Undefined), value, ir.IntType(32)(0))
    return builder.shuffle_vector(lone, lone, ir.Constant(ir.VectorType(ir.IntType(32), ROWS), [0] * ROWS))


def _line_by_line(combine: Callable[..., Any], *, factors: bool = False) -> Callable[..., Any]:
    """``(target, i, first, j, second, k)``: combine line i of a tile with two other lines, in place.

    Or, with ``factors``, of another line and the single value k of ``second``. In an instruction of its own, since LLVM
    cannot know that two lines of one tile are not the same.
    """

    def instruction(typingctx: Any, target: Any, i: Any, first: Any, j: Any, second: Any, k: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            pointers = [
                _vector(context, builder, kind, args[2 * n], builder.mul(args[2 * n + 1], args[1].type(ROWS)))
                for n, kind in enumerate((target, first) if factors else (target, first, second))
            ]
            lines = [builder.load(pointer, align=8) for pointer in pointers]
            if factors:
                lines.append(_everywhere(context, builder, second, args[4], args[5]))
            builder.store(combine(builder, *lines), pointers[0], align=8)
            return context.get_dummy_value()

        return types.void(target, types.int64, first, types.int64, second, types.int64), codegen

    return _instruction(instruction)


def _max(builder: Any, one: Any, other: Any) -> Any:
    """Maximum that ignores nan, which reappears in the sums that follow."""
    name = f"llvm.maxnum.v{ROWS}f{32 if isinstance(one.type.element, ir.FloatType) else 64}"
    kind = ir.FunctionType(one.type, [one.type, one.type])
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), [one, other])


def _plus_product(builder: Any, target: Any, first: Any, second: Any) -> Any:
    return builder.fadd(target, builder.fmul(first, second), flags=("contract",))


def _excess(builder: Any, one: Any, other: Any) -> Any:
    """Difference of two values, with -inf in the second treated as 0."""
    nothing = ir.Constant(other.type, [float("-inf")] * ROWS)
    is_something = builder.fcmp_unordered("!=", other, nothing)
    return builder.fsub(one, builder.select(is_something, other, ir.Constant(other.type, [0.0] * ROWS)))


_line_is = _line_by_line(lambda builder, target, first, second: first)
_line_max = _line_by_line(lambda builder, target, first, second: _max(builder, target, first))
_line_plus = _line_by_line(lambda builder, target, first, second: builder.fadd(target, first))
_line_is_multiple = _line_by_line(lambda builder, target, first, factor: builder.fmul(first, factor), factors=True)
_line_plus_product = _line_by_line(_plus_product)
_line_plus_multiple = _line_by_line(_plus_product, factors=True)
_line_is_product = _line_by_line(lambda builder, target, first, second: builder.fmul(first, second))
_line_is_excess = _line_by_line(lambda builder, target, first, second: _excess(builder, first, second))


@_instruction
def _transpose(typingctx: Any, source: Any, i: Any, step: Any, target: Any, k: Any, to_step: Any) -> Any:
    """Transpose a square of ``ROWS`` x ``ROWS`` values with row stride ``step``, by swapping ever larger blocks."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        lane = ir.IntType(32)
        places = [builder.add(args[1], builder.mul(args[2], args[1].type(row))) for row in range(ROWS)]
        rows = [builder.load(_vector(context, builder, source, args[0], place), align=8) for place in places]
        block = 1
        while block < ROWS:
            lower = [j if not j & block else ROWS + j - block for j in range(ROWS)]
            upper = [j + block if not j & block else ROWS + j for j in range(ROWS)]
            lower, upper = (ir.Constant(ir.VectorType(lane, ROWS), half) for half in (lower, upper))
            for row in (row for row in range(ROWS) if not row & block):
                one, other = rows[row], rows[row | block]
                rows[row] = builder.shuffle_vector(one, other, lower)
                rows[row | block] = builder.shuffle_vector(one, other, upper)
            block *= 2
        for row, value in enumerate(rows):
            place = builder.add(args[4], builder.mul(args[5], args[4].type(row)))
            builder.store(value, _vector(context, builder, target, args[3], place), align=8)
        return context.get_dummy_value()

    return types.void(source, types.int64, types.int64, target, types.int64, types.int64), codegen


@_kernel
def _read(values: Floats, begin: int, rows: int, column: int, count: int, lines: Floats) -> None:
    """Read columns of some rows into lines. Unused lanes keep stale values, which are never read."""
    width = values.shape[1]
    squares = count // ROWS * ROWS if rows == ROWS else 0
    for i in range(0, squares, ROWS):
        _transpose(values, begin * width + column + i, width, lines, i * ROWS, ROWS)
    for i in range(squares, count):
        for j in range(rows):
            lines[i * ROWS + j] = values[begin + j, column + i]


@_kernel
def _write(lines: Floats, count: int, out: Floats, begin: int, rows: int, column: int) -> None:
    """Write lines to columns of some rows."""
    width = out.shape[1]
    squares = count // ROWS * ROWS if rows == ROWS else 0
    for i in range(0, squares, ROWS):
        _transpose(lines, i * ROWS, ROWS, out, begin * width + column + i, width)
    for i in range(squares, count):
        for j in range(rows):
            out[begin + j, column + i] = lines[i * ROWS + j]


@_kernel
def _spread(values: Floats, begin: int, rows: int, places: Nodes, lines: Floats, tile: Floats) -> None:
    """Scatter all columns of some rows into the given lines of a tile."""
    for c in range(0, places.size, STRIP):
        to = places[c : c + STRIP]
        _read(values, begin, rows, c, to.size, lines)
        for i in range(to.size):
            _line_is(tile, to[i], lines, i, lines, i)


@_kernel
def _collect(tile: Floats, places: Nodes, lines: Floats, out: Floats, begin: int, rows: int) -> None:
    """Gather the given lines of a tile into all columns of some rows."""
    for c in range(0, places.size, STRIP):
        at = places[c : c + STRIP]
        for i in range(at.size):
            _line_is(lines, i, tile, at[i], tile, at[i])
        _write(lines, at.size, out, begin, rows, c)


@_kernel
def _exp_in_place(values: Floats) -> None:
    for i in range(values.size):
        values[i] = fast_exp(values[i])


# ---------------------------------------------------------------- children of one node


@_kernel
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
                out[row, place] = abs(x[node - 1] - _finite(x[node - 1]))  # 0, or inf, or nan
            else:
                peak = x.dtype.type(-np.inf)
                for i in range(group.size):
                    peak = max(peak, x[group[i] - 1])
                shift = _finite(peak)
                total = 0.0
                for i in range(group.size):
                    total += fast_exp(x[group[i] - 1] - shift)
                norm[row, place] = shift + np.log(total)
                own = x[node - 1]
                out[row, place] = norm[row, place] - own if own != -np.inf else np.inf
            node = above


@_kernel
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
            weight, exact = by_edge[row, place], _finite(norm[row, place])
            shift = x.dtype.type(exact)
            scale = x.dtype.type(weight * math.exp(shift - exact))
            if group.size > 1:
                for i in range(group.size):
                    g[group[i] - 1] = scale * fast_exp(x[group[i] - 1] - shift)
                g[node - 1] -= weight
            node = above


@_kernel
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
            _read(scores, begin, rows, c, count, x[c * ROWS :])
            for i in range(c, c + count):
                _line_max(peak, group[i], x, i, x, i)
        for c in range(0, width, STRIP):
            count = min(STRIP, width - c)
            for i in range(count):
                _line_is_excess(lines, i, x, c + i, peak, group[c + i])
            x[c * ROWS : (c + count) * ROWS] = lines[: count * ROWS]
            _exp_in_place(lines[: count * ROWS])
            for i in range(count):
                _line_plus(total, group[c + i], lines, i, lines, i)
        for i in range(total.size):
            total[i] = fast_log(total[i]) if total[i] != zero else zero  # empty sum: the members are already -inf
        for c in range(0, width, STRIP):
            count = min(STRIP, width - c)
            for i in range(count):
                _line_is_excess(lines, i, x, c + i, total, group[c + i])
            _write(lines, count, out, begin, rows, c)


@_kernel
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
            _read(by_child, begin, rows, c, of.size, lines)
            for i in range(of.size):
                _line_plus(total, of[i], lines, i, lines, i)
        _collect(total, group, lines, grad, begin, rows)
        for j in range(begin, begin + rows):
            y, g, result = out[j], by_child[j], grad[j]
            for i in range(y.size):
                result[i] = g[i] - fast_exp(y[i]) * result[i]


# ---------------------------------------------------------------- subtrees and paths


@_kernel
def subtree_sum_rows(
    first: int, last: int, values: Floats, nodes: Nodes, parents: Nodes, share: Floats, at: Nodes, out: Floats
) -> None:
    """Discounted subtree sums: values at ``nodes``, results at ``at``."""
    tile, lines = np.empty(parents.size * ROWS, values.dtype), np.zeros(STRIP * ROWS, values.dtype)
    for begin in range(first, last, ROWS):
        rows = min(ROWS, last - begin)
        tile[:] = 0.0
        _spread(values, begin, rows, nodes, lines, tile)
        for v in range(parents.size - 1, 0, -1):  # in reverse pre-order a node is complete before its parent
            _line_plus_multiple(tile, parents[v], tile, v, share, 0)
        _collect(tile, at, lines, out, begin, rows)


@_kernel
def path_sum_rows(
    first: int, last: int, values: Floats, nodes: Nodes, parents: Nodes, share: Floats, at: Nodes, out: Floats
) -> None:
    """Discounted path sums: values at ``nodes``, results at ``at``."""
    tile, lines = np.empty(parents.size * ROWS, values.dtype), np.zeros(STRIP * ROWS, values.dtype)
    for begin in range(first, last, ROWS):
        rows = min(ROWS, last - begin)
        tile[:] = 0.0
        _spread(values, begin, rows, nodes, lines, tile)
        for v in range(1, parents.size):
            _line_plus_multiple(tile, v, tile, parents[v], share, 0)
        _collect(tile, at, lines, out, begin, rows)


@_kernel
def tree_solve_rows(
    first: int, last: int, values: Floats, parents: Nodes, share: Floats, scale: Floats, out: Floats
) -> None:
    """The two sweeps of an exact solve: from children to parents, then from parents to children."""
    tile = np.zeros(parents.size * ROWS, values.dtype)
    for begin in range(first, last, ROWS):
        rows = min(ROWS, last - begin)
        _read(values, begin, rows, 0, parents.size, tile)
        for v in range(parents.size - 1, 0, -1):
            _line_plus_multiple(tile, parents[v], tile, v, share, v)
        _line_is_multiple(tile, 0, tile, 0, scale, 0)
        for v in range(1, parents.size):
            _line_is_multiple(tile, v, tile, v, scale, v)
            _line_plus_multiple(tile, v, tile, parents[v], share, v)
        _write(tile, parents.size, out, begin, rows, 0)


@_kernel
def _log_mass_tile(
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
    _spread(values, begin, rows, nodes, lines, tile)
    with_inner = nodes.size > num_nodes - inner.size
    if with_inner:
        for i in range(inner.size):
            _line_is(own, i, tile, inner[i], tile, inner[i])
    for v in range(num_nodes - 1, 0, -1):
        _line_max(tile, parents[v], tile, v, tile, v)
    if with_inner:
        for i in range(inner.size):
            _line_is_excess(own, i, own, i, tile, inner[i])
        _exp_in_place(own)
    for i in range(inner.size):
        _line_is(total, inner[i], own, i, own, i)
    for c in range((num_nodes - 1) // STRIP * STRIP, -1, -STRIP):
        count = min(STRIP, num_nodes - c)
        for i in range(count):
            _line_is_excess(lines, i, tile, c + i, tile, max(parents[c + i], 0))
        _exp_in_place(lines[: count * ROWS])
        for i in range(count - 1, -1, -1):
            if c + i > 0:
                _line_plus_product(total, parents[c + i], total, c + i, lines, i)
        m, s = tile[c * ROWS : (c + count) * ROWS], total[c * ROWS : (c + count) * ROWS]
        for i in range(m.size):
            m[i] += fast_log(s[i]) if s[i] != zero else zero  # empty sum: the maximum is already -inf


@_kernel
def subtree_logsumexp_rows(
    first: int, last: int, values: Floats, nodes: Nodes, inner: Nodes, parents: Nodes, out: Floats
) -> None:
    """Log-sum-exp over every subtree, relative to its own maximum."""
    num_nodes, dtype = parents.size, values.dtype
    tile, total = np.empty(num_nodes * ROWS, dtype), np.empty(num_nodes * ROWS, dtype)
    own, lines = np.zeros(inner.size * ROWS, dtype), np.zeros(STRIP * ROWS, dtype)
    for begin in range(first, last, ROWS):
        rows = min(ROWS, last - begin)
        _log_mass_tile(values, begin, rows, nodes, inner, parents, tile, total, own, lines)
        _write(tile, num_nodes, out, begin, rows, 0)


@_kernel
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
            _read(out, begin, rows, c, count, y[c * ROWS :])
            _read(by_node, begin, rows, c, count, flow[c * ROWS :])
            for i in range(count):
                _line_is_excess(lines, i, y, c + i, y, max(parents[c + i], 0))
            _exp_in_place(lines[: count * ROWS])
            for i in range(1 if c == 0 else 0, count):
                _line_plus_product(flow, c + i, flow, parents[c + i], lines, i)
        _collect(flow, nodes, lines, grad, begin, rows)
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


# ---------------------------------------------------------------- weighted sums over all subtrees


@_kernel
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


@_kernel
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


@_kernel
def _is_narrow(values: Floats, widest: float) -> tuple[bool, Any]:
    """Whether no two values are further apart, and the largest."""
    key = least = _ordered(values[0])
    for i in range(values.size):
        own = _ordered(values[i])
        key, least = max(key, own), min(least, own)
    high = _unordered(key)
    return high - _unordered(least) <= widest, high  # nan and infinities are not


@_kernel
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
        _read(values, begin, rows, c, at.size, lines)
        for i in range(at.size):
            _line_is_excess(lines, i, lines, i, high, 0)
        _exp_in_place(lines)
        for i in range(at.size):
            _line_is(sums, at[i], lines, i, lines, i)
    for v in range(parents.size - 1, 0, -1):
        _line_plus(sums, parents[v], sums, v, sums, v)


@_kernel
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
            _log_mass_tile(values, row, rows, nodes, inner, parents, sums, flow, own, lines)
        for r in range(ROWS):
            whole[r] = -total[r] * (math.log(sums[r]) if narrow else sums[r])
        for c in range(0, num_nodes, STRIP):
            count = min(STRIP, num_nodes - c)
            _read(weights, 0, ROWS, c, count, lines)
            some, here = sums[c * ROWS : (c + count) * ROWS], flow[c * ROWS : (c + count) * ROWS]
            for i in range(some.size):
                logs[i] = fast_log(some[i]) if narrow else some[i]
            part[:] = 0.0
            for i in range(count):
                _line_plus_product(part, i % ROWS, logs, i, lines, i)
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
                    _line_plus(flow, v, flow, parents[v], flow, parents[v])
            else:
                for i in range(count):
                    _line_is(flow, c + i, lines, i, lines, i)
                    _line_is_excess(logs, i, sums, c + i, sums, max(parents[c + i], 0))
                _exp_in_place(logs[: count * ROWS])
                for v in range(max(c, 1), c + count):
                    _line_plus_product(flow, v, flow, parents[v], logs, v - c)
        for r in range(rows):
            out[row + r] = whole[r]
        for c in range(0, width if grad.size else 0, STRIP):
            at = nodes[c : c + STRIP]
            if narrow:
                for i in range(at.size):
                    _line_is_product(lines, i, exps, c + i, flow, at[i])
            else:
                _read(values, row, rows, c, at.size, lines)
                for i in range(at.size):
                    _line_is_excess(lines, i, lines, i, sums, at[i])
                _exp_in_place(lines[: at.size * ROWS])
                for i in range(at.size):
                    _line_is_product(lines, i, lines, i, flow, at[i])
            _write(lines, at.size, grad, row, rows, c)


# ---------------------------------------------------------------- cut trees


@_instruction
def _line_unless(typingctx: Any, target: Any, i: Any, first: Any, j: Any, bits: Any, k: Any, kept: Any) -> Any:
    """Line i becomes line j where the bits of a byte equal ``kept``, and -inf elsewhere; bit r belongs to row r."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        places = [builder.mul(args[n], args[1].type(ROWS)) for n in (1, 3)]
        to, source = (
            _vector(context, builder, kind, args[n], place)
            for kind, n, place in zip((target, first), (0, 2), places, strict=True)
        )
        line = builder.load(source, align=8)
        data = context.make_array(bits)(context, builder, args[4]).data
        byte = builder.xor(builder.load(builder.gep(data, [args[5]])), args[6])
        mask = builder.bitcast(byte, ir.VectorType(ir.IntType(1), ROWS))
        nothing = ir.Constant(line.type, [float("-inf")] * ROWS)
        builder.store(builder.select(mask, nothing, line), to, align=8)
        return context.get_dummy_value()

    return types.void(target, types.int64, first, types.int64, bits, types.int64, types.uint8), codegen


@_kernel
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
        _read(scores, begin, rows, c - 1, count, lines)
        for i in range(count):
            v = c + i
            _line_plus(lines, i, sums, parents[v], sums, parents[v])
            _line_unless(sums, v, lines, i, bits, v, np.uint8(0))  # nothing goes on below a dropped node
        for i in range(count):
            bits[c + i] |= leaf[c + i] * every
        for i in range(count):
            _line_unless(lines, i, lines, i, bits, c + i, every)
        _write(lines, count, cut, 0, rows, c - 1)


@_kernel
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
            shift = _finite(_largest(all_sums, dtype.type(-np.inf)))
            own_shift = _finite(_largest(own, dtype.type(-np.inf)))
            own_total = _sum_of_exp(own, own_shift)
            if own.size == all_sums.size:  # nothing is asked: exactly 0, or nan
                out[row] = 0.0 * own_total
                all_sums[:], scale[r] = out[row], 1.0
                continue
            if grad.size == 0:
                total = _sum_of_exp(all_sums, shift)
            else:
                _scaled_exp(own, own_shift, dtype.type(1.0 / own_total), share)
                total = _exp_and_sum(all_sums, shift)
                factor = dtype.type(total)
                for i in range(own.size):
                    own[i] -= factor * share[i]
            out[row] = (shift + np.log(total)) - (own_shift + np.log(own_total))
            scale[r] = 1.0 / total
        if grad.size == 0:
            continue
        for c in range(1, num_nodes, STRIP):
            count = min(STRIP, num_nodes - c)
            _read(cut, 0, rows, c - 1, count, sums[c * ROWS :])
        for v in range(num_nodes - 1, 0, -1):
            _line_plus(sums, parents[v], sums, v, sums, v)
        for c in range(1, num_nodes, STRIP):
            count = min(STRIP, num_nodes - c)
            for i in range(count):
                _line_is_product(lines, i, sums, c + i, scale, 0)
            _write(lines, count, grad, begin, rows, c - 1)


# ---------------------------------------------------------------- transitions of low rank


@_kernel
def _columns(num_targets: int, most: int) -> int:
    """Sources of a tile, so that it stays in a fast cache; a whole number of vectors."""
    return max(16, min(64, most, (1 << 17) // max(1, num_targets) // 16 * 16))


@_kernel
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


@_kernel
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


@_kernel
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


# ---------------------------------------------------------------- binary classification of every node


@_kernel
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


@_kernel
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


# ---------------------------------------------------------------- pairs of nodes


@_kernel
def lca_rows(first: int, last: int, one: Nodes, other: Nodes, parents: Nodes, out: Nodes) -> None:
    """Lowest common ancestors: the later node in pre-order cannot be an ancestor, so it moves up until both meet."""
    for i in range(first, last):
        u, v = one[i], other[i]
        while u != v:
            if u > v:
                u = parents[np.uint64(u)]
            else:
                v = parents[np.uint64(v)]
        out[i] = u
