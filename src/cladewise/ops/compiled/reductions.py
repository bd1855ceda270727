"""Maxima of values, and sums of their exponentials relative to a maximum."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types

from cladewise.ops.compiled.decorators import Floats, instruction, kernel
from cladewise.ops.compiled.exponentials import fast_exp

PIECE = 4096
"""Values summed in single precision before the sum goes on in double."""


@instruction
def ordered(typingctx: Any, x: Any) -> Any:
    """An integer that grows with the float: maxima of integers become vector instructions, and need no rule for nan."""
    integer = types.int32 if x is types.float32 else types.int64

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = context.get_value_type(integer)
        bits = builder.bitcast(args[0], kind)
        sign = builder.ashr(bits, kind(kind.width - 1))
        return builder.xor(bits, builder.lshr(sign, kind(1)))

    return integer(x), codegen


@instruction
def unordered(typingctx: Any, key: Any) -> Any:
    """The float of an integer from :func:`ordered`."""
    floating = types.float32 if key is types.int32 else types.float64

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = context.get_value_type(key)
        sign = builder.ashr(args[0], kind(kind.width - 1))
        bits = builder.xor(args[0], builder.lshr(sign, kind(1)))
        return builder.bitcast(bits, context.get_value_type(floating))

    return floating(key), codegen


@kernel
def largest(values: Floats, start: Any) -> Any:
    """The largest of ``start`` and the values."""
    key = ordered(start)
    for i in range(values.size):
        key = max(key, ordered(values[i]))
    return unordered(key)


@kernel
def sum_of_exp(values: Floats, shift: Any) -> float:
    """Sum of the exponentials of the values minus ``shift``."""
    total = 0.0
    for begin in range(0, values.size, PIECE):
        piece = values[begin : begin + PIECE]
        part = values.dtype.type(0)
        for i in range(piece.size):
            part += fast_exp(piece[i] - shift)
        total += part
    return total


@kernel
def exp_and_sum(values: Floats, shift: Any) -> float:
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


@kernel
def scaled_exp(values: Floats, shift: Any, scale: Any, result: Floats) -> None:
    """Write multiples of the exponentials of the values minus ``shift``."""
    for i in range(values.size):
        result[i] = scale * fast_exp(values[i] - shift)


@kernel
def finite(x: Any) -> Any:
    """The shift before the exponential: 0 for -inf, which would give nan. Other infinities propagate."""
    return x if x != -np.inf else np.float32(0.0)
