"""The dot-product tile of every SIMD level, written as LLVM vector instructions.

A tile is up to 6 rows by 1 or 4 vectors of 16 int32 sums, all held in registers while the depth is walked four bytes at a
time: packed weights meet four bytes of each row, repeated over the lanes. With AVX-512 VNNI one instruction adds four
products to a lane. Portably, each half of the four bytes is spread to 16-bit pairs and multiplied pair by pair, in generic
instructions that compilers turn into `pmaddwd` or `smlal`.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

ROWS, LANES, VECTORS = 6, 16, 4

_I8, _I32, _I64 = ir.IntType(8), ir.IntType(32), ir.IntType(64)
_SUMS, _BYTES = ir.VectorType(_I32, LANES), ir.VectorType(_I8, 4 * LANES)
_PRODUCTS = ir.VectorType(_I64, LANES // 2)
_PAIRS = ir.VectorType(ir.IntType(16), 2 * LANES)
_DOT = "llvm.x86.avx512.vpdpbusd.512"


def _emit_tile(context: Any, builder: Any, vnni: bool, operands: list[Any], rows: Any, vectors: Any, emit_end: Any) -> Any:
    """Emit a switch over the tile's shape, with one loop for each; `emit_end` stores what the loop leaves."""
    done = builder.append_basic_block("tile.done")
    shape = builder.add(builder.mul(rows, _I64(VECTORS + 1)), vectors)
    switch = builder.switch(shape, done)
    for r in range(1, ROWS + 1):
        for v in (1, VECTORS) if vnni else (1,):
            block = builder.append_basic_block(f"tile.{r}x{v}")
            switch.add_case(_I64(r * (VECTORS + 1) + v), block)
            builder.position_at_end(block)
            emit_end(_emit_sums(builder, vnni, operands, r, v))
            builder.branch(done)
    builder.position_at_end(done)
    return context.get_dummy_value()


def _emit_sums(builder: Any, vnni: bool, operands: list[Any], rows: int, vectors: int) -> list[list[Any]]:
    """Emit `bias + sum over k of (x[r, k] ^ flip) * packed[k]` for one tile shape; return vectors of sums by row."""
    x, x_stride, flip, packed, quads, bias = operands
    x_rows = [builder.add(x, builder.mul(x_stride, _I64(r))) for r in range(rows)]
    starts = [_load(builder, _at(builder, bias, 4 * v), _SUMS, 4) for v in range(vectors)]
    flips = _repeat(builder, builder.trunc(flip, _I32))

    before, loop = builder.block, builder.append_basic_block("tile.k")
    after = builder.append_basic_block("tile.end")
    builder.branch(loop)
    builder.position_at_end(loop)
    k = builder.phi(_I64)
    sums = [[builder.phi(_SUMS) for _ in range(vectors)] for _ in range(rows)]
    size = 64 if vnni else 128
    weights_at = builder.add(packed, builder.mul(k, _I64(size * vectors)))
    emit_load, emit_dot = (_load_quads, _dot_quads) if vnni else (_load_pairs, _dot_pairs)
    weights = [emit_load(builder, builder.add(weights_at, _I64(size * v))) for v in range(vectors)]
    updated = []
    for r in range(rows):
        quad = _load(builder, builder.add(x_rows[r], builder.mul(k, _I64(4))), _I32, 1)
        codes = _repeat(builder, builder.xor(quad, builder.trunc(flip, _I32)))
        updated.append([emit_dot(builder, sums[r][v], codes, weights[v]) for v in range(vectors)])
    k_next = builder.add(k, _I64(1))
    builder.cbranch(builder.icmp_signed("<", k_next, quads), loop, after)

    k.add_incoming(_I64(0), before)
    k.add_incoming(k_next, loop)
    for r in range(rows):
        for v in range(vectors):
            sums[r][v].add_incoming(starts[v], before)
            sums[r][v].add_incoming(updated[r][v], loop)
    builder.position_at_end(after)
    return updated


def _load_quads(builder: Any, address: Any) -> Any:
    return _load(builder, address, _BYTES, 64)


def _dot_quads(builder: Any, sums: Any, codes: Any, weights: Any) -> Any:
    """Add four u8 x s8 products to each lane."""
    kind = ir.FunctionType(_SUMS, [_SUMS, _BYTES, _BYTES])
    dot = cgutils.get_or_insert_function(builder.module, kind, _DOT)  # type: ignore[no-untyped-call]
    return builder.call(dot, [sums, builder.bitcast(codes, _BYTES), weights])


def _load_pairs(builder: Any, address: Any) -> tuple[Any, Any]:
    """Load the weights of bytes 0 and 2 of the four, and of bytes 1 and 3, each as even and odd int32 lanes."""
    even, odd = (_load(builder, builder.add(address, _I64(64 * i)), _PAIRS, 64) for i in range(2))
    return _unzip(builder, even), _unzip(builder, odd)


def _dot_pairs(builder: Any, sums: Any, codes: Any, weights: tuple[Any, Any]) -> Any:
    """Add four u8 x s16 products to each lane, two at a time."""
    mask = ir.Constant(_SUMS, [0x00FF00FF] * LANES)
    shifted = builder.lshr(codes, ir.Constant(_SUMS, [8] * LANES))
    for part, factors in zip((codes, shifted), weights, strict=True):
        pairs = _unzip(builder, builder.bitcast(builder.and_(part, mask), _PAIRS))
        products = [builder.mul(p, f) for p, f in zip(pairs, factors, strict=True)]
        sums = builder.add(sums, builder.add(*products))
    return sums


def _unzip(builder: Any, pairs: Any) -> tuple[Any, Any]:
    """Return the even and the odd int16 lanes as int32."""

    def pick(start: int) -> Any:
        lanes = ir.Constant(_SUMS, list(range(start, 2 * LANES, 2)))
        return builder.sext(builder.shuffle_vector(pairs, ir.Constant(_PAIRS, ir.Undefined), lanes), _SUMS)

    return pick(0), pick(1)


def _emit_codes(builder: Any, numbers: list[Any], sums: list[list[Any]], element: Any) -> None:
    """Emit the rescale of all sums, the clip, and the store as `element`; only the product's high half matters."""
    multiplier, shift, zero_point, low, high, y, y_stride = numbers
    half = _repeat(builder, builder.shl(_I64(1), builder.sub(shift, _I64(1))), _PRODUCTS)
    down = _repeat(builder, builder.trunc(builder.sub(shift, _I64(32)), _I32))
    zero_points, lows, highs = (_repeat(builder, builder.trunc(n, _I32)) for n in (zero_point, low, high))
    high_halves = ir.Constant(_SUMS, [(i | 1) + LANES * (i % 2) for i in range(LANES)])
    for v in range(len(sums[0])):
        factors = _split(builder, _load(builder, _at(builder, multiplier, 4 * v), _SUMS, 4))
        for r, row in enumerate(sums):
            even, odd = (
                builder.bitcast(builder.add(builder.mul(s, f), half), _SUMS)
                for s, f in zip(_split(builder, row[v]), factors, strict=True)
            )
            scaled = builder.add(builder.ashr(builder.shuffle_vector(even, odd, high_halves), down), zero_points)
            raised = builder.select(builder.icmp_signed("<", scaled, lows), lows, scaled)
            clipped = builder.select(builder.icmp_signed(">", raised, highs), highs, raised)
            codes = clipped if element == _I32 else builder.trunc(clipped, ir.VectorType(element, LANES))
            _store(builder, codes, _at(builder, builder.add(y, builder.mul(y_stride, _I64(r))), element.width // 8 * v))


def _split(builder: Any, values: Any) -> tuple[Any, Any]:
    """Return the even and the odd int32 lanes as int64."""
    pairs, upper = builder.bitcast(values, _PRODUCTS), ir.Constant(_PRODUCTS, [32] * (LANES // 2))
    return builder.ashr(builder.shl(pairs, upper), upper), builder.ashr(pairs, upper)


def _at(builder: Any, address: Any, bytes_per_lane: int) -> Any:
    return builder.add(address, _I64(LANES * bytes_per_lane))


def _repeat(builder: Any, value: Any, kind: Any = _SUMS) -> Any:
    """Return a scalar in every lane of a vector."""
    one = builder.insert_element(ir.Constant(kind, ir.Undefined), value, _I32(0))
    lanes = ir.Constant(ir.VectorType(_I32, kind.count), [0] * kind.count)
    return builder.shuffle_vector(one, ir.Constant(kind, ir.Undefined), lanes)


def _load(builder: Any, address: Any, kind: Any, align: int) -> Any:
    value = builder.load(builder.inttoptr(address, kind.as_pointer()))
    value.align = align
    return value


def _store(builder: Any, value: Any, address: Any) -> None:
    builder.store(value, builder.inttoptr(address, value.type.as_pointer())).align = 1


def _sums_tile(  # type: ignore[no-untyped-def]
    _typing: Any, weight_bits, x, x_stride, flip, packed, quads, bias, out, out_stride, rows, vectors,  # noqa: ANN001
) -> Any:  # fmt: skip
    vnni = weight_bits.literal_value == 8

    def emit(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        _, *operands, out, out_stride, rows, vectors = arguments

        def end(sums: list[list[Any]]) -> None:
            for r, row in enumerate(sums):
                for v, vector in enumerate(row):
                    _store(builder, vector, _at(builder, builder.add(out, builder.mul(out_stride, _I64(r))), 4 * v))

        return _emit_tile(context, builder, vnni, operands, rows, vectors, end)

    return types.void(weight_bits, *[types.int64] * 10), emit


def _codes_tile(  # type: ignore[no-untyped-def]
    _typing: Any, weight_bits, code_bits, x, x_stride, flip, packed, quads, bias,  # noqa: ANN001
    multiplier, shift, zero_point, low, high, y, y_stride, rows, vectors,  # noqa: ANN001
) -> Any:  # fmt: skip
    vnni, element = weight_bits.literal_value == 8, ir.IntType(code_bits.literal_value)

    def emit(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        operands, numbers, (rows, vectors) = arguments[2:8], arguments[8:15], arguments[15:]

        def end(sums: list[list[Any]]) -> None:
            _emit_codes(builder, numbers, sums, element)

        return _emit_tile(context, builder, vnni, operands, rows, vectors, end)

    return types.void(weight_bits, code_bits, *[types.int64] * 15), emit


sums_tile: Any = intrinsic(prefer_literal=True)(_sums_tile)
"""Store a tile of s32 sums.

`weight_bits`, a literal, tells the packing: 8 for VNNI, 16 for portable. Addresses and byte strides are int64; `quads` is
depth / 4, at least 1; `flip` is XORed to each 4 bytes of x.
"""

codes_tile: Any = intrinsic(prefer_literal=True)(_codes_tile)
"""Store a tile of `clip(rescale(sums, multiplier, shift) + zero_point)` as integers of `code_bits` bits, a literal up to 32.

Needs `intvit.kernels.integer.fits_high_half`; `multiplier` holds one s32 for every column of the panel.
"""
