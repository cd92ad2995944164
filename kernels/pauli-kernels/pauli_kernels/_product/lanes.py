"""Runs of 16 neighbouring amplitudes as one value of compiled code: 32 reals, which LLVM keeps in vector registers.

A loop over terms of H that adds to such a value reads the state and nothing else; numba's arrays would be loaded and
stored again with every term. LLVM splits the value into whatever registers the processor has.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import extending, types
from numba.core import cgutils
from numba.core.datamodel import models

RUN = 16
"""Amplitudes of a run: with float64 its reals fill half of the 16 registers of AVX2."""

REALS = 2 * RUN
LINE = 64
"""Bytes of a line of the cache."""
CHUNK = 4
"""Reals that move together when a run is permuted: two amplitudes."""

_FLAGS = ("contract", "nsz")


def intrinsic(definition: Callable[..., Any]) -> Any:
    """Make an operation of compiled code; a call of it does not look like its definition, hence without types."""
    return extending.intrinsic(definition)


class Lanes(types.Type):
    """Numba's type of a run: 32 reals of one precision."""

    def __init__(self, real: Any) -> None:
        self.real = real
        super().__init__(name=f"Lanes({real})")


@extending.register_model(Lanes)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, manager: Any, lanes: Any) -> None:
        super().__init__(manager, lanes, ir.VectorType(manager[lanes.real].get_value_type(), REALS))


def _pointer(context: Any, builder: Any, array_type: Any, array: Any, offset: Any) -> Any:
    data = cgutils.create_struct_proxy(array_type)(context, builder, value=array).data
    return builder.gep(data, [offset])


def _shuffled(builder: Any, first: Any, second: Any, order: list[int]) -> Any:
    mask = ir.Constant(ir.VectorType(ir.IntType(32), len(order)), order)
    return builder.shuffle_vector(first, second, mask)


def _undefined(vector: Any) -> Any:
    return ir.Constant(vector.type, ir.Undefined)


def _size(real: Any) -> int:
    return 4 if isinstance(real, ir.FloatType) else 8


@intrinsic
def at(typing_context: Any, array: Any, offset: Any) -> Any:
    """Return `array[offset]`; unlike numba's own, without a look at whether the offset is negative."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.load(_pointer(context, builder, array, *arguments))

    return array.dtype(array, types.int64), code


@intrinsic
def load(typing_context: Any, array: Any, offset: Any) -> Any:
    """Return `array[offset : offset + 32]`."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        real = context.get_data_type(array.dtype)
        pointer = _pointer(context, builder, array, *arguments)
        vector = ir.VectorType(real, REALS)
        return builder.load(builder.bitcast(pointer, vector.as_pointer()), align=_size(real))

    return Lanes(array.dtype)(array, types.int64), code


@intrinsic
def load_twice(typing_context: Any, array: Any, offset: Any) -> Any:
    """Return `array[offset : offset + 16]`, every number twice: a real factor for each amplitude."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        real = context.get_data_type(array.dtype)
        pointer = _pointer(context, builder, array, *arguments)
        vector = ir.VectorType(real, RUN)
        once = builder.load(builder.bitcast(pointer, vector.as_pointer()), align=_size(real))
        return _shuffled(builder, once, _undefined(once), [lane // 2 for lane in range(REALS)])

    return Lanes(array.dtype)(array, types.int64), code


@intrinsic
def load_permuted(typing_context: Any, array: Any, offset: Any, mask: Any) -> Any:
    """Return the run at `offset` with its chunks in the order `c ^ mask`, c = 0..7."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        values, start, permutation = arguments
        real = context.get_data_type(array.dtype)
        vector = ir.VectorType(real, CHUNK)
        parts = []
        for chunk in range(REALS // CHUNK):
            place = builder.xor(permutation, ir.Constant(ir.IntType(64), chunk))
            place = builder.add(start, builder.mul(place, ir.Constant(ir.IntType(64), CHUNK)))
            pointer = _pointer(context, builder, array, values, place)
            parts.append(builder.load(builder.bitcast(pointer, vector.as_pointer()), align=_size(real)))
        while len(parts) > 1:
            parts = [
                _shuffled(builder, parts[k], parts[k + 1], list(range(2 * parts[k].type.count)))
                for k in range(0, len(parts), 2)
            ]
        return parts[0]

    return Lanes(array.dtype)(array, types.int64, types.int64), code


def _exchange(mask: int, doc: str) -> Any:
    def exchange(typing_context: Any, lanes: Any) -> Any:
        def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            [values] = arguments
            return _shuffled(builder, values, _undefined(values), [lane ^ mask for lane in range(REALS)])

        return lanes(lanes), code

    exchange.__doc__ = doc
    return intrinsic(exchange)


exchange_parts = _exchange(1, "Return the run with real and imaginary parts exchanged.")
exchange_neighbours = _exchange(2, "Return the run with the amplitudes 2k and 2k + 1 exchanged.")
exchange_pairs = _exchange(4, "Return the run with its amplitudes in the order k ^ 2.")
exchange_fours = _exchange(8, "Return the run with its amplitudes in the order k ^ 4.")
exchange_halves = _exchange(16, "Return the run with its amplitudes in the order k ^ 8.")
exchange_both = _exchange(3, "Return the run with neighbours and, in each, real and imaginary parts exchanged.")


@intrinsic
def store(typing_context: Any, array: Any, offset: Any, lanes: Any) -> Any:
    """Set `array[offset : offset + 32]`."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        values, start, vector = arguments
        real = context.get_data_type(array.dtype)
        pointer = builder.bitcast(_pointer(context, builder, array, values, start), vector.type.as_pointer())
        builder.store(vector, pointer, align=_size(real))
        return context.get_dummy_value()

    return types.void(array, types.int64, lanes), code


def _prefetch(to_write: bool, doc: str) -> Any:
    def prefetch(typing_context: Any, array: Any, offset: Any) -> Any:
        def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            byte, number = ir.IntType(8).as_pointer(), ir.IntType(32)
            kind = ir.FunctionType(ir.VoidType(), [byte, number, number, number])
            function = builder.module.declare_intrinsic("llvm.prefetch", (byte,), kind)
            first = builder.bitcast(_pointer(context, builder, array, *arguments), byte)
            near_second_cache, data = ir.Constant(number, 2), ir.Constant(number, 1)
            size = _size(context.get_data_type(array.dtype))
            for place in range(0, REALS * size, LINE):
                line = builder.gep(first, [ir.Constant(ir.IntType(64), place)])
                builder.call(function, [line, ir.Constant(number, int(to_write)), near_second_cache, data])
            return context.get_dummy_value()

        return types.void(array, types.int64), code

    prefetch.__doc__ = doc
    return intrinsic(prefetch)


prefetch = _prefetch(False, "Ask for the run at `offset`, which will be read; it need not exist.")
prefetch_to_write = _prefetch(True, "Ask for the run at `offset`, which will be written to.")


@intrinsic
def splat(typing_context: Any, number: Any) -> Any:
    """Return a run of equal reals."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        [value] = arguments
        one = ir.VectorType(value.type, 1)
        first = builder.insert_element(ir.Constant(one, ir.Undefined), value, ir.Constant(ir.IntType(32), 0))
        return _shuffled(builder, first, _undefined(first), [0] * REALS)

    return Lanes(number)(number), code


@intrinsic
def times(typing_context: Any, first: Any, second: Any) -> Any:
    """Return the products, lane by lane."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.fmul(*arguments, flags=_FLAGS)

    return first(first, second), code


@intrinsic
def plus(typing_context: Any, first: Any, second: Any) -> Any:
    """Return the sums, lane by lane; `plus(a, times(b, c))` becomes one instruction."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.fadd(*arguments, flags=_FLAGS)

    return first(first, second), code


@intrinsic
def times_minus_i(typing_context: Any, lanes: Any) -> Any:
    """Return -i times the run's amplitudes."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        [values] = arguments
        signs = ir.Constant(values.type, [1.0, -1.0] * RUN)
        turned = _shuffled(builder, values, _undefined(values), [lane ^ 1 for lane in range(REALS)])
        return builder.fmul(turned, signs, flags=_FLAGS)

    return lanes(lanes), code
