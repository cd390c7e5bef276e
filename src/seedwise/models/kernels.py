"""Compiled loops over arrays on a CPU: Mish, and batch norm with shortcut and activation.

LLVM makes vector code of them. A bfloat16 has no type in numba: it is the upper half of a
float32, and comes as an int16. All kernels are in this one file, for numba keeps compiled code by
the file that a function is in, not by what the function calls elsewhere.
"""
# pyright: reportCallIssue=false
# numba hands an intrinsic its typing context by itself

from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic, overload

__all__ = [
    "MISH",
    "NONE",
    "RELU",
    "activate",
    "mish_backward",
    "mish_forward",
    "sum_channels",
    "sum_gradient",
    "sum_plain_gradient",
    "through",
]

NONE, MISH, RELU = range(3)
"""Activations of the batch-norm kernels."""

_BLOCK = 64
"""Rows summed in float32 before they are added to the float64 totals."""


@intrinsic
def _float_of(typing: Any, bits: Any) -> Any:
    """The float32 with these 32 bits."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], ir.FloatType())

    return types.float32(types.int32), generate


@intrinsic
def _bits_of(typing: Any, number: Any) -> Any:
    """The 32 bits of a float32."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], ir.IntType(32))

    return types.int32(types.float32), generate


_f, _i = np.float32, np.int32
_LOG2_E, _LN2_HIGH, _LN2_LOW = _f(1.44269504), _f(0.693359375), _f(-2.12194440e-4)
_ROUNDER = _f(3 << 22)
"""Added to a number below 2**22 it rounds it to an integer, which its lowest bits then hold."""


@numba.njit(inline="always")
def _exp(x):
    """The exponential of a float32 to 1 ulp: Cephes' expf, of which LLVM makes vector code."""
    x = min(max(x, _f(-87.0)), _f(40.0))  # beyond 40 Mish is x to the last bit
    rounded = x * _LOG2_E + _ROUNDER
    k = rounded - _ROUNDER
    r = x - k * _LN2_HIGH - k * _LN2_LOW
    p = _f(1.9875691500e-4)
    p = p * r + _f(1.3981999507e-3)
    p = p * r + _f(8.3334519073e-3)
    p = p * r + _f(4.1665795894e-2)
    p = p * r + _f(1.6666665459e-1)
    p = p * r + _f(5.0000001201e-1)
    # times 2**k: k added to the exponent
    return _float_of(_bits_of(p * r * r + r + _f(1)) + (_bits_of(rounded) << _i(23)))


@numba.njit(inline="always")
def _mish(x):
    """Mish, x * tanh(softplus(x)), with one exponential: x n / (n + 2), n = e (e + 2)."""
    e = _exp(x)
    n = e * (e + _f(2))
    return x * (n / (n + _f(2)))


@numba.njit(inline="always")
def _slope(x):
    """Its derivative: n / (n + 2) + 4 x e (e + 1) / (n + 2)^2."""
    e = _exp(x)
    n = e * (e + _f(2))
    d = _f(1) / (n + _f(2))
    return n * d + x * (_f(4) * (e * d) * ((e + _f(1)) * d))  # in this order nothing overflows


def _load(array, k):
    """In a kernel: element k of a float32 array, or of one of bfloat16 bits, as a float32."""


def _store(array, k, number):
    """In a kernel: set element k to the nearest number, ties to even."""


@overload(_load, inline="always")
def _load_of(array, k):
    if array.dtype == types.int16:
        return lambda array, k: _float_of(_i(array[k]) << _i(16))
    return lambda array, k: array[k]


@overload(_store, inline="always")
def _store_of(array, k, number):
    def rounded(array, k, number):
        bits = _bits_of(number)
        array[k] = np.int16((bits + _i(0x7FFF) + ((bits >> _i(16)) & _i(1))) >> _i(16))

    def as_it_is(array, k, number):
        array[k] = number

    return rounded if array.dtype == types.int16 else as_it_is


# Not "nnan": a NaN has to come out as one, it is how a run is known to have diverged.
_compiled = numba.njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "arcp"})


@_compiled
def mish_forward(x, out):
    """Mish of each number."""
    for k in range(x.size):
        _store(out, k, _mish(_load(x, k)))


@_compiled
def mish_backward(x, gradient, out):
    """The gradient of `x` from that of its Mish."""
    for k in range(x.size):
        _store(out, k, _load(gradient, k) * _slope(_load(x, k)))


@_compiled
def sum_channels(x, pivot, totals):
    """Sums of x - pivot and of its square, for each place in a row."""
    rows, width = x.shape
    first, second = np.empty(width, np.float32), np.empty(width, np.float32)
    for begin in range(0, rows, _BLOCK):
        first[:] = 0
        second[:] = 0
        for row in range(begin, min(begin + _BLOCK, rows)):
            line = x[row]
            for k in range(width):
                value = _load(line, k) - pivot[k]
                first[k] += value
                second[k] += value * value
        for k in range(width):
            totals[0, k] += first[k]
            totals[1, k] += second[k]


@_compiled
def activate(x, shortcut, out, scale, shift, kind, totals):
    """The activation of x * scale + shift + shortcut."""
    rows, width = x.shape
    for row in range(rows):
        line, written = x[row], out[row]
        for k in range(width):
            value = _load(line, k) * scale[k] + shift[k]
            if shortcut is not None:
                value += _load(shortcut[row], k)
            if kind == MISH:
                value = _mish(value)
            elif kind == RELU:
                value = value if not value < 0 else np.float32(0)  # a NaN stays one
            _store(written, k, value)


@_compiled
def sum_gradient(x, shortcut, gradient, before, mean, scale, shift, kind, totals):
    """The gradient before the activation; its sum, and that of its product with x - mean."""
    rows, width = x.shape
    first, second = np.empty(width, np.float32), np.empty(width, np.float32)
    for begin in range(0, rows, _BLOCK):
        first[:] = 0
        second[:] = 0
        for row in range(begin, min(begin + _BLOCK, rows)):
            line, given, written = x[row], gradient[row], before[row]
            for k in range(width):
                value = _load(line, k)
                z = value * scale[k] + shift[k]
                if shortcut is not None:
                    z += _load(shortcut[row], k)
                if kind == MISH:
                    change = _load(given, k) * _slope(z)
                else:
                    change = np.float32(0) if z <= 0 else _load(given, k)
                _store(written, k, change)
                first[k] += change
                second[k] += change * (value - mean[k])
        for k in range(width):
            totals[0, k] += first[k]
            totals[1, k] += second[k]


@_compiled
def sum_plain_gradient(x, gradient, mean, totals):
    """The same sums where there is no activation."""
    rows, width = x.shape
    first, second = np.empty(width, np.float32), np.empty(width, np.float32)
    for begin in range(0, rows, _BLOCK):
        first[:] = 0
        second[:] = 0
        for row in range(begin, min(begin + _BLOCK, rows)):
            line, given = x[row], gradient[row]
            for k in range(width):
                change = _load(given, k)
                first[k] += change
                second[k] += change * (_load(line, k) - mean[k])
        for k in range(width):
            totals[0, k] += first[k]
            totals[1, k] += second[k]


@_compiled
def through(x, out, mean, scale, steep, level, totals):
    """The gradient of x, in place of that before the activation.

    In place, for with a result that may overlap an argument LLVM's vector code is never taken: 1.0
    ns a number instead of 0.2.
    """
    rows, width = x.shape
    for row in range(rows):
        line, written = x[row], out[row]
        for k in range(width):
            value = _load(written, k) * scale[k] + (_load(line, k) - mean[k]) * steep[k]
            _store(written, k, value + level[k])
