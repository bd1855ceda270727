"""Exponentials and logarithms that LLVM can vectorise: polynomials in single precision, the C library's in double."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import types
from numba.extending import overload

from cladewise.ops.compiled.decorators import Floats, instruction, kernel


@instruction
def _power_of_two(typingctx: Any, n: Any) -> Any:
    """2^n in single precision, for a normal result."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        integer = context.get_value_type(types.int32)
        biased = builder.add(args[0], integer(127))
        return builder.bitcast(builder.shl(biased, integer(23)), context.get_value_type(types.float32))

    return types.float32(types.int32), codegen


@instruction
def _exponent(typingctx: Any, x: Any) -> Any:
    """The n for which x / 2^n is in [sqrt(1/2), sqrt(2)), for a normal x in single precision."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        integer = context.get_value_type(types.int32)
        bits = builder.bitcast(args[0], integer)
        return builder.ashr(builder.sub(bits, integer(0x3F3504F3)), integer(23))

    return types.int32(types.float32), codegen


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


@kernel
def exp_in_place(values: Floats) -> None:
    """Replace values by their exponentials."""
    for i in range(values.size):
        values[i] = fast_exp(values[i])
