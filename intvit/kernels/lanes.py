"""Functions of vectors that move lanes, or take neighbouring ones together."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from llvmlite import ir
from numba import types

from intvit.kernels.narrow_ir import PACK, narrow
from intvit.kernels.vector_ir import I8, I16, call_in_pieces, native_bits, saturate, shuffle, split
from intvit.kernels.vector_type import Emit, VectorType, shift_right, vector_function


@vector_function
def halves(_typing: Any, vector: Any) -> Any:
    """Return the halves of each lane as lanes of their own."""
    kind = vector.halves()
    return kind(vector), lambda _context, builder, _signature, arguments: builder.bitcast(arguments[0], kind.llvm)


def _half(emit_half: Emit) -> Any:
    """Make an intrinsic that turns each pair of lanes into one lane of twice the width."""

    @vector_function
    def pick(_typing: Any, vector: Any) -> Any:
        kind = vector.pairs()
        bits = ir.Constant(kind.llvm, [vector.element.bitwidth] * kind.lanes)

        def emit(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            return emit_half(builder, kind, builder.bitcast(arguments[0], kind.llvm), bits)

        return kind(vector), emit

    return pick


even = _half(lambda builder, kind, pairs, bits: shift_right(builder, kind, builder.shl(pairs, bits), bits))
"""The even lanes, widened."""
odd = _half(shift_right)
"""The odd lanes, widened."""


def _zip(second: int) -> Any:
    """Make an intrinsic that takes the first or the second half of every 128 bits of two vectors."""

    def pick(n: int, per: int) -> list[int]:
        group = [second * per // 2 + i // 2 + n * (i & 1) for i in range(per)]
        return [start + i for start in range(0, n, per) for i in group]

    @vector_function
    def merge(_typing: Any, a: Any, b: Any) -> Any:
        def emit(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            x, y = arguments
            return shuffle(builder, x, y, pick(a.lanes, 128 // a.element.bitwidth))

        return a(a, b), emit

    return merge


zip_low, zip_high = _zip(0), _zip(1)
"""The lanes of the first (second) half of every 128 bits, of both, alternating."""


@vector_function
def concat(_typing: Any, a: Any, b: Any) -> Any:
    """Return the lanes of both, one vector after the other."""
    kind = VectorType(a.element, 2 * a.lanes)

    def emit(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        x, y = arguments
        return shuffle(builder, x, y, range(kind.lanes))

    return kind(a, b), emit


def _part(which: int) -> Any:
    """Make an intrinsic that takes half of the lanes: undoes `concat`."""

    @vector_function
    def part(_typing: Any, vector: Any) -> Any:
        kind = VectorType(vector.element, vector.lanes // 2)

        def emit(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            (x,) = arguments
            return split(builder, x, kind.lanes)[which]

        return kind(vector), emit

    return part


front, back = _part(0), _part(1)
"""The first (second) half of the lanes."""


@vector_function
def low(_typing: Any, vector: Any) -> Any:
    """Return the low half of each lane, widened to the lane again."""
    bits = ir.Constant(vector.llvm, [vector.element.bitwidth // 2] * vector.lanes)

    def emit(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return shift_right(builder, vector, builder.shl(arguments[0], bits), bits)

    return vector(vector), emit


def _merge(make_kind: Callable[[VectorType], VectorType], pick: Callable[[int], Iterable[int]]) -> Any:
    """Make an intrinsic that picks lanes of two vectors, cut into lanes like those of the result; `pick` gets their number."""

    @vector_function
    def merge(_typing: Any, a: Any, b: Any) -> Any:
        kind = make_kind(a)
        source = VectorType(kind.element, a.lanes * a.element.bitwidth // kind.element.bitwidth)

        def emit(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            x, y = (builder.bitcast(v, source.llvm) for v in arguments)
            return shuffle(builder, x, y, pick(source.lanes))

        return kind(a, b), emit

    return merge


def _same(kind: VectorType) -> VectorType:
    return kind


def _both(kind: VectorType) -> VectorType:
    return VectorType(kind.element, 2 * kind.lanes)


join = _merge(VectorType.halves, lambda n: [(i & ~1) + n * (i & 1) for i in range(n)])
"""The low halves of the lanes of both, alternating: undoes `even` and `odd`."""
join_high = _merge(VectorType.halves, lambda n: [(i | 1) + n * (i & 1) for i in range(n)])
"""The high halves of the lanes of both, alternating."""
low_halves = _merge(VectorType.halves, lambda n: range(0, 2 * n, 2))
"""The low halves of the lanes of the first vector, then of the second: narrows both to one."""
high_halves = _merge(VectorType.halves, lambda n: range(1, 2 * n, 2))
"""The high halves of the lanes of the first vector, then of the second."""
first_fours = _merge(_same, lambda n: [8 * (i // 4) + i % 4 for i in range(n)])
"""The first four of every eight lanes, those of the first vector before those of the second."""
last_fours = _merge(_same, lambda n: [8 * (i // 4) + 4 + i % 4 for i in range(n)])
"""The last four of every eight lanes."""
join_fours = _merge(_both, lambda n: [4 * (i // 8) + i % 4 + n * (i // 4 & 1) for i in range(2 * n)])
"""Four lanes of each in turn: undoes `first_fours` and `last_fours`."""


@vector_function
def saturate_fours(_typing: Any, a: Any, b: Any) -> Any:
    """Return s32 lanes as s16, the nearest that fits, in the order of `join_fours`."""
    kind = VectorType(types.int16, 2 * a.lanes)

    def emit(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        bits = native_bits()
        if bits and 32 * a.lanes % bits == 0:
            return call_in_pieces(builder, PACK[bits][I16], kind.llvm, arguments)
        x, y = (saturate(builder, v, kind.llvm.element) for v in arguments)
        return shuffle(builder, x, y, [4 * (i // 8) + i % 4 + a.lanes * (i // 4 & 1) for i in range(kind.lanes)])

    return kind(a, b), emit


@vector_function
def saturate_bytes(_typing: Any, words: Any) -> Any:
    """Return each s16 lane as s8, the nearest that fits."""
    kind = words.of(types.int8)

    def emit(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        (values,), half = arguments, words.lanes // 2
        if 16 * half != native_bits():
            return saturate(builder, values, kind.llvm.element)
        packed = call_in_pieces(builder, PACK[native_bits()][I8], kind.llvm, split(builder, values, half))
        return shuffle(builder, packed, packed, [16 * (i % half // 8) + 8 * (i // half) + i % 8 for i in range(words.lanes)])

    return kind(words), emit


@vector_function
def saturated(_typing: Any, vector: Any, element: Any) -> Any:
    """Return 32-bit lanes as s8, s16 or s32, the NumPy type `element`: the nearest that fits."""
    kind = vector.of(element.dtype)

    def emit(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        (values, _), lanes = arguments, native_bits() // 32
        if not lanes or vector.lanes not in range(lanes, 4 * lanes + 1, lanes):
            return saturate(builder, values, kind.llvm.element)
        return narrow(builder, split(builder, values, lanes), kind.llvm.element)

    return kind(vector, element), emit


@vector_function
def pair_dot(_typing: Any, a: Any, b: Any) -> Any:
    """Return the sum of the products of each two neighbouring s16 lanes, in s32 lanes; it must fit them."""
    kind = a.pairs()

    def emit(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        def product(start: int, x: Any, y: Any) -> Any:
            picked = (shuffle(builder, v, v, range(start, a.lanes, 2)) for v in (x, y))
            return builder.mul(*(builder.sext(v, kind.llvm) for v in picked))

        def anywhere(x: Any, y: Any) -> Any:
            return builder.add(product(0, x, y), product(1, x, y))

        bits = native_bits()
        if not bits or 16 * a.lanes % bits:
            return anywhere(*arguments)
        name = "llvm.x86.avx512.pmaddw.d.512" if bits == 512 else "llvm.x86.avx2.pmadd.wd"
        return call_in_pieces(builder, name, kind.llvm, arguments)

    return kind(a, b), emit
