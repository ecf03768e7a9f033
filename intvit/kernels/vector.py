"""Vectors of integers as values inside kernels, compiled to LLVM's vector instructions on any CPU.

The lanes of a vector are of one integer type: `+`, `-`, `*`, `&`, `|`, `<<` wrap as that type does, and `>>` is arithmetic for
signed lanes and logical for unsigned ones. One operand may be a number, which is taken for every lane. Where the vectors of a
CPU are shorter than these, the compiler takes several of them.
"""

from __future__ import annotations

import operator
from typing import Any

from llvmlite import ir
from numba import types
from numba.core.errors import TypingError
from numba.core.typing.templates import AbstractTemplate, infer_global
from numba.extending import lower_builtin, overload

from intvit.kernels.simd import host_features
from intvit.kernels.vector_ir import I32, repeat, shift_lanes
from intvit.kernels.vector_type import Emit, VectorType, call_overloaded, lane_numbers, resize, shift_right, vector_function

LANES_16, LANES_32, LANES_64 = 32, 16, 8
"""How many lanes of 16, 32 and 64 bits the vectors of most kernels have."""
WIDE = 64 if "avx512bw" in host_features() else 32
"""How many lanes long computations take at a time: several vectors of a CPU, which cover each other's latencies."""


def _emit_access(builder: Any, array: Any, index: Any, kind: Any, emit_whole: Emit, emit_part: Emit) -> list[tuple[Any, Any]]:
    """Emit an access to all lanes, or a masked one where some lie beyond the array's end; return both results and blocks."""
    pointer = builder.bitcast(builder.gep(array.data, [index]), kind.as_pointer())
    left = builder.sub(builder.extract_value(array.shape, 0), index)
    mask = builder.icmp_signed("<", lane_numbers(ir.VectorType(left.type, kind.count)), repeat(builder, left, kind.count))
    whole, part, done = (builder.append_basic_block(f"vector.{name}") for name in ("whole", "part", "done"))
    builder.cbranch(builder.icmp_signed(">=", left, left.type(kind.count)), whole, part)
    results = []
    for block, emit in ((whole, emit_whole), (part, emit_part)):
        builder.position_at_end(block)
        results.append((emit(pointer, mask), block))
        builder.branch(done)
    builder.position_at_end(done)
    return results


@vector_function
def load(_typing: Any, array: Any, index: Any, lanes: Any, others: Any) -> Any:
    """Return elements of a contiguous 1-D array from `index` on; lanes beyond its end become the number `others`."""
    kind = VectorType(array.dtype, lanes.literal_value)
    align = array.dtype.bitwidth // 8

    def emit(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        made = context.make_array(array)(context, builder, arguments[0])
        filled = repeat(builder, context.cast(builder, arguments[3], others, kind.element), kind.lanes)

        def emit_whole(pointer: Any, _mask: Any) -> Any:
            return builder.load(pointer, align=align)

        def emit_part(pointer: Any, mask: Any) -> Any:
            return call_overloaded(builder, "masked.load", kind.llvm, kind.llvm, pointer, I32(align), mask, filled)

        results = _emit_access(builder, made, arguments[1], kind.llvm, emit_whole, emit_part)
        result = builder.phi(kind.llvm)
        for value, block in results:
            result.add_incoming(value, block)
        return result

    return kind(array, types.int64, lanes, others), emit


@vector_function
def load_whole(_typing: Any, array: Any, index: Any, lanes: Any) -> Any:
    """Return elements of a contiguous 1-D array from `index` on, all of which exist."""
    kind = VectorType(array.dtype, lanes.literal_value)

    def emit(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        data = context.make_array(array)(context, builder, arguments[0]).data
        pointer = builder.bitcast(builder.gep(data, [arguments[1]]), kind.llvm.as_pointer())
        return builder.load(pointer, align=array.dtype.bitwidth // 8)

    return kind(array, types.int64, lanes), emit


@vector_function
def store(_typing: Any, array: Any, index: Any, vector: Any) -> Any:
    """Write a vector, cut to the elements' width, to a contiguous 1-D array from `index` on, as far as the array reaches."""
    kind = vector.of(array.dtype)
    align = array.dtype.bitwidth // 8

    def emit(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        made = context.make_array(array)(context, builder, arguments[0])
        value = resize(builder, arguments[2], vector, kind.element)

        def emit_whole(pointer: Any, _mask: Any) -> Any:
            return builder.store(value, pointer, align=align)

        def emit_part(pointer: Any, mask: Any) -> Any:
            return call_overloaded(builder, "masked.store", kind.llvm, ir.VoidType(), value, pointer, I32(align), mask)

        _emit_access(builder, made, arguments[1], kind.llvm, emit_whole, emit_part)
        return context.get_dummy_value()

    return types.void(array, types.int64, vector), emit


def fits_s16(array: Any) -> bool:
    """Whether all numbers that an array's type holds fit s16."""
    raise NotImplementedError("only kernels call this")


@overload(fits_s16)
def _fits_s16(array: Any) -> Emit:
    fits = bool(array.dtype.bitwidth + (not array.dtype.signed) <= 16)

    def answer(array: Any) -> bool:
        return fits

    return answer


@vector_function
def vector(_typing: Any, element: Any, lanes: Any, number: Any) -> Any:
    """Return a number in every lane, of a NumPy integer type."""
    kind = VectorType(element.dtype, lanes.literal_value)

    def emit(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return repeat(builder, context.cast(builder, arguments[2], number, kind.element), kind.lanes)

    return kind(element, lanes, number), emit


def _emit_operands(emit_lanes: Emit, emit_number: Emit | None) -> Emit:
    """Return what emits an operator for two vectors, or for a vector and a number, from what does for two LLVM vectors.

    `emit_number` does it for a vector and a number that is not known before a kernel runs, if that is different.
    """

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = signature.return_type

        def number(value: Any, found: Any) -> Any:
            return context.cast(builder, value, found, kind.element)

        def lanes(value: Any, found: Any) -> Any:
            return value if found == kind else repeat(builder, number(value, found), kind.lanes)

        second = signature.args[1]
        if emit_number and not isinstance(second, VectorType | types.IntegerLiteral):
            return emit_number(builder, kind, arguments[0], number(arguments[1], second))
        return emit_lanes(builder, kind, *map(lanes, arguments, signature.args))

    return emit


def _result(a: Any, b: Any) -> Any:
    """Return the type of what an operator makes of two vectors of a type, or of one and a number, or None."""
    vectors = [kind for kind in (a, b) if isinstance(kind, VectorType)]
    fits = vectors and all(kind == vectors[0] or isinstance(kind, types.Integer) for kind in (a, b))
    return vectors[0] if fits else None


def _lanewise(emit_lanes: Emit) -> Any:
    """Make an intrinsic of two vectors, or of a vector and a number."""

    @vector_function
    def apply(_typing: Any, a: Any, b: Any) -> Any:
        if not (kind := _result(a, b)):
            raise TypingError(f"vectors of different types: {a} and {b}")
        return kind(a, b), _emit_operands(emit_lanes, None)

    return apply


def _operator(function: Any, emit_lanes: Emit, emit_number: Emit | None = None) -> None:
    """Make one of Python's operators work on vectors; an `overload` would be compiled as a function of its own each time."""

    class Typed(AbstractTemplate):
        prefer_literal = True

        def generic(self, args: Any, _kws: Any) -> Any:
            kind = _result(*args) if len(args) == 2 else None
            return kind and kind(*args)

    infer_global(function)(Typed)  # type: ignore[no-untyped-call]
    for kinds in ((VectorType, VectorType), (VectorType, types.Integer), (types.Integer, VectorType)):
        lower_builtin(function, *kinds)(_emit_operands(emit_lanes, emit_number))  # type: ignore[no-untyped-call]


def _emit_choice(comparison: str) -> Emit:
    def emit(builder: Any, kind: VectorType, a: Any, b: Any) -> Any:
        compare = builder.icmp_signed if kind.element.signed else builder.icmp_unsigned
        return builder.select(compare(comparison, a, b), a, b)

    return emit


def _emit_product_high(builder: Any, kind: VectorType, a: Any, b: Any) -> Any:
    """Emit a fixed-point product whose low half is fraction: unlike a wide product, LLVM does not merge it with others."""
    if kind.element.signed:
        raise TypingError(f"product_high takes unsigned lanes, got {kind}")
    return call_overloaded(builder, "umul.fix", kind.llvm, kind.llvm, a, b, I32(kind.element.bitwidth))


def _emit_shift_left(builder: Any, _kind: VectorType, vector: Any, number: Any) -> Any:
    return shift_lanes(builder, "sll", vector, number)


def _emit_shift_right(builder: Any, kind: VectorType, vector: Any, number: Any) -> Any:
    return shift_lanes(builder, "sra" if kind.element.signed else "srl", vector, number)


_operator(operator.add, lambda builder, _kind, a, b: builder.add(a, b))
_operator(operator.sub, lambda builder, _kind, a, b: builder.sub(a, b))
_operator(operator.mul, lambda builder, _kind, a, b: builder.mul(a, b))
_operator(operator.and_, lambda builder, _kind, a, b: builder.and_(a, b))
_operator(operator.or_, lambda builder, _kind, a, b: builder.or_(a, b))
_operator(operator.lshift, lambda builder, _kind, a, b: builder.shl(a, b), _emit_shift_left)
_operator(operator.rshift, shift_right, _emit_shift_right)

smaller, larger = _lanewise(_emit_choice("<")), _lanewise(_emit_choice(">"))
product_high = _lanewise(_emit_product_high)
"""The high half of each product of unsigned lanes."""


@vector_function
def cast(_typing: Any, vector: Any, element: Any) -> Any:
    """Return each lane as another NumPy integer type: extended as its own type demands, or cut."""
    kind = vector.of(element.dtype)

    def emit(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return resize(builder, arguments[0], vector, kind.element)

    return kind(vector, element), emit


@vector_function
def first(_typing: Any, vector: Any, count: Any) -> Any:
    """Return the first `count` lanes, and zeros in the others."""

    def emit(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        kind = vector.llvm
        limit = repeat(builder, builder.trunc(arguments[1], kind.element), kind.count)
        return builder.select(builder.icmp_signed("<", lane_numbers(kind), limit), arguments[0], ir.Constant(kind, None))

    return vector(vector, types.int64), emit


@vector_function
def leading_zeros(_typing: Any, vector: Any) -> Any:
    """Return how many bits above its highest one each lane has."""

    def emit(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return call_overloaded(builder, "ctlz", vector.llvm, vector.llvm, arguments[0], ir.Constant(ir.IntType(1), 0))

    return vector(vector), emit


def _reduction(name: str) -> Any:
    @vector_function
    def reduce(_typing: Any, vector: Any) -> Any:
        def emit(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            return call_overloaded(builder, f"vector.reduce.{name}", vector.llvm, vector.llvm.element, arguments[0])

        return vector.element(vector), emit

    return reduce


sum_lanes = _reduction("add")
"""The sum of all lanes, which wraps as they do."""
max_lanes = _reduction("smax")
"""The largest of signed lanes."""
