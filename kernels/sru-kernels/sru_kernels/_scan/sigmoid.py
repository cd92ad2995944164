"""A sigmoid that LLVM turns into vector instructions: the library's `exp` is a call for every single number.

`1 / (1 + 2**y)` with `y = -z log2(e) = n + f`: `2**f` is a polynomial, `2**n` is put together from its bits. Adding
`1.5 * 2**(bits of the mantissa)` rounds y to the integer n and leaves n in the lowest bits of the sum, so that no
conversion is needed, and a NaN stays one.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic, overload

from sru_kernels._compiled import OPTIONS


def _power_of_two(degree: int) -> tuple[float, ...]:
    """Return the Taylor polynomial of `2**f`, the constant first; `|f| <= 1/2` leaves 5e-9 (degree 7), 4e-18 (13)."""
    return tuple(math.log(2) ** power / math.factorial(power) for power in range(degree + 1))


_F = np.float32
_LOG2E_32, _LARGEST_32, _ROUND_32, _BIAS_32, _SHIFT_32 = _F(np.log2(np.e)), _F(126), _F(1.5 * 2**23), 127, 23
_P0, _P1, _P2, _P3, _P4, _P5, _P6, _P7 = (_F(number) for number in _power_of_two(7))
_LOG2E, _LARGEST, _ROUND, _BIAS, _SHIFT = float(np.log2(np.e)), 1022.0, 1.5 * 2**52, 1023, 52
_Q0, _Q1, _Q2, _Q3, _Q4, _Q5, _Q6, _Q7, _Q8, _Q9, _Q10, _Q11, _Q12, _Q13 = _power_of_two(13)


def sigmoid(z: Any) -> Any:
    """Return `1 / (1 + exp(-z))`, to the rounding of float32 or float64; compiled code gets the vectorisable form."""
    return 1 / (1 + np.exp(-z))


@overload(sigmoid, jit_options={"error_model": OPTIONS["error_model"], "fastmath": OPTIONS["fastmath"]})
def _compiled(z: Any) -> Any:
    return _single if z == types.float32 else _double


def _single(z: Any) -> Any:
    y = -z * _LOG2E_32
    # Not min and max, which may drop a NaN.
    y = _LARGEST_32 if y > _LARGEST_32 else y
    y = -_LARGEST_32 if y < -_LARGEST_32 else y
    rounded = y + _ROUND_32
    f = y - (rounded - _ROUND_32)
    power = _P0 + f * (_P1 + f * (_P2 + f * (_P3 + f * (_P4 + f * (_P5 + f * (_P6 + f * _P7))))))
    return _F(1) / (_F(1) + power * _as_float(np.int32((_as_integer(rounded) + _BIAS_32) << _SHIFT_32)))


def _double(z: Any) -> Any:
    y = -z * _LOG2E
    y = _LARGEST if y > _LARGEST else y
    y = -_LARGEST if y < -_LARGEST else y
    rounded = y + _ROUND
    f = y - (rounded - _ROUND)
    power = _Q6 + f * (_Q7 + f * (_Q8 + f * (_Q9 + f * (_Q10 + f * (_Q11 + f * (_Q12 + f * _Q13))))))
    power = _Q0 + f * (_Q1 + f * (_Q2 + f * (_Q3 + f * (_Q4 + f * (_Q5 + f * power)))))
    return 1.0 / (1.0 + power * _as_float((_as_integer(rounded) + _BIAS) << _SHIFT))


_SAME_BITS: dict[Any, Any] = {
    types.int32: types.float32,
    types.int64: types.float64,
    types.float32: types.int32,
    types.float64: types.int64,
}
_LLVM = {
    types.float32: ir.FloatType(),
    types.float64: ir.DoubleType(),
    types.int32: ir.IntType(32),
    types.int64: ir.IntType(64),
}


def _bitcast(_: Any, number: Any) -> Any:
    """Return the number whose bits are those of another."""
    result = _SAME_BITS[number]

    def generate(_: Any, builder: Any, __: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], _LLVM[result])

    return result(number), generate


_as_float: Any = intrinsic(_bitcast)
_as_integer: Any = intrinsic(_bitcast)
