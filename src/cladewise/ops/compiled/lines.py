"""Operations on lines of a tile: ``ROWS`` values of one node each, combined by vector instructions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils

from cladewise.ops.compiled.decorators import instruction

ROWS = 8
"""Rows that go through a tree side by side."""


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

    def combined(typingctx: Any, target: Any, i: Any, first: Any, j: Any, second: Any, k: Any) -> Any:
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

    return instruction(combined)


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


line_is = _line_by_line(lambda builder, target, first, second: first)
line_max = _line_by_line(lambda builder, target, first, second: _max(builder, target, first))
line_plus = _line_by_line(lambda builder, target, first, second: builder.fadd(target, first))
line_is_multiple = _line_by_line(lambda builder, target, first, factor: builder.fmul(first, factor), factors=True)
line_plus_product = _line_by_line(_plus_product)
line_plus_multiple = _line_by_line(_plus_product, factors=True)
line_is_product = _line_by_line(lambda builder, target, first, second: builder.fmul(first, second))
line_is_excess = _line_by_line(lambda builder, target, first, second: _excess(builder, first, second))


@instruction
def line_unless(typingctx: Any, target: Any, i: Any, first: Any, j: Any, bits: Any, k: Any, kept: Any) -> Any:
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


@instruction
def transpose(typingctx: Any, source: Any, i: Any, step: Any, target: Any, k: Any, to_step: Any) -> Any:
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
