"""Functions of vectors that move lanes, or take neighbouring ones together."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from llvmlite import ir

from intvit.kernels.simd import host_features
from intvit.kernels.vector_ir import call, shuffle
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
narrow = _merge(VectorType.halves, lambda n: range(0, 2 * n, 2))
"""The low halves of the lanes of the first, then of the second."""
narrow_high = _merge(VectorType.halves, lambda n: range(1, 2 * n, 2))
"""The high halves of the lanes of the first, then of the second."""
evens = _merge(_same, lambda n: range(0, 2 * n, 2))
"""The even lanes of the first, then of the second."""
odds = _merge(_same, lambda n: range(1, 2 * n, 2))
"""The odd lanes of the first, then of the second."""
first_fours = _merge(_same, lambda n: [8 * (i // 4) + i % 4 for i in range(n)])
"""The first four of every eight lanes, those of the first vector before those of the second."""
last_fours = _merge(_same, lambda n: [8 * (i // 4) + 4 + i % 4 for i in range(n)])
"""The last four of every eight lanes."""
join_fours = _merge(_both, lambda n: [4 * (i // 8) + i % 4 + n * (i // 4 & 1) for i in range(2 * n)])
"""Four lanes of each in turn: undoes `first_fours` and `last_fours`."""
narrow_fours = _merge(VectorType.halves, lambda n: [8 * (i // 8) + 2 * (i % 4) + n * (i // 4 & 1) for i in range(n)])
"""The low halves of what `join_fours` would give."""


def _emit_native(builder: Any, name: str, operands: Any, result: Any, emit_anywhere: Emit) -> Any:
    """Emit an x86 instruction of two s16 vectors, in pieces as wide as the CPU has it, or else what `emit_anywhere` emits."""
    bits = 512 if "avx512bw" in host_features() else 256
    lanes, count = bits // 16, operands[0].type.count
    if "avx2" not in host_features() or count % lanes:
        return emit_anywhere(*operands)
    piece = ir.VectorType(result.element, result.count * lanes // count)
    full = f"llvm.x86.{'avx512' if bits == 512 else 'avx2'}.{name}{'.512' if bits == 512 else ''}"
    pieces = [
        call(builder, full, piece, *(shuffle(builder, v, v, range(start, start + lanes)) for v in operands))
        for start in range(0, count, lanes)
    ]
    while len(pieces) > 1:
        pieces = [shuffle(builder, x, y, range(2 * x.type.count)) for x, y in zip(pieces[::2], pieces[1::2], strict=True)]
    return pieces[0]


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

        name = "pmaddw.d" if "avx512bw" in host_features() else "pmadd.wd"
        return _emit_native(builder, name, arguments, kind.llvm, anywhere)

    return kind(a, b), emit
