"""The loop of a tile at every SIMD level: all sums stay in registers while the depth is walked four bytes at a time.

A step loads the packed weights of every vector once, and four bytes of each row, repeated over the lanes: four codes of 8
bits, or two of 16. One instruction or two multiply them and add the products up for every lane. Sums may wrap: the total, which
fits, is right modulo 2^32.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from llvmlite import ir

from intvit.kernels.simd import Level
from intvit.kernels.vector_ir import I8, I16, I32, I64, call, load, opaque, prefetch, repeat, shuffle, vector

FLIPS = {1: -0x7F7F7F80, 2: -0x7FFF8000}
"""0x80808080 and 0x80008000 as int32, by the bytes of a code: turn signed codes into unsigned ones that are larger by 128 or
32768, or unsigned into signed ones that are smaller by as much."""

CACHE_LINE = 64
AHEAD = 2048
"""How many bytes before they are needed weights come to the first cache: panels of a deep layer stay in the second one."""
NEXT_BYTES = 8
"""How much of the next panel a step in the depth brings to the second cache: the tiles of 190 rows bring all of it."""


@dataclass(frozen=True)
class Operands:
    """What a tile reads, as int64 values of LLVM: addresses, those of x by row, and the steps in the depth.

    `fetches` are addresses and bytes: what each step brings to the second cache, from there on.
    """

    x_rows: list[Any]
    packed: Any
    steps: Any
    bias: Any
    fetches: Sequence[tuple[Any, Any]] = ()


def emit_sums(builder: Any, level: Level, flips: bool, operands: Operands, vectors: int) -> list[list[Any]]:
    """Emit `bias + sum over k of x[r, k] * packed[k]` for one tile, with the codes of x flipped or not.

    Returns:
        Vectors of sums by row.
    """
    lanes = level.traits.lanes
    kind = vector(I32, lanes)
    # LLVM 22 does not come back from an XOR of a loaded and a known vector.
    flip = repeat(builder, opaque(builder, I32(FLIPS[level.traits.left.itemsize])), lanes) if flips else None
    bias = [load(builder, builder.add(operands.bias, I64(4 * lanes * v)), kind) for v in range(vectors)]
    return _emit_loop(builder, level, flip, operands, bias)


def _emit_loop(builder: Any, level: Level, flip: Any, operands: Operands, bias: list[Any]) -> list[list[Any]]:
    """Emit the walk along the depth, for sums that start as the bias."""
    lanes, vectors, x_rows = level.traits.lanes, len(bias), operands.x_rows
    kind, size = vector(I32, lanes), _bytes(level) * vectors
    before, loop = builder.block, builder.append_basic_block("tile.k")
    after = builder.append_basic_block("tile.end")
    builder.branch(loop)
    builder.position_at_end(loop)
    k = builder.phi(I64)
    sums = [[builder.phi(kind) for _ in range(vectors)] for _ in x_rows]
    packed = builder.add(operands.packed, builder.mul(k, I64(size)))
    weights = _load_weights(builder, level, packed, vectors)
    if len(x_rows) > 1:
        for line in range(0, size, CACHE_LINE):
            prefetch(builder, builder.add(packed, I64(AHEAD + line)), cache=1)
        for start, stride in operands.fetches:
            prefetch(builder, builder.add(start, builder.mul(k, stride)), cache=2)
    updated = []
    for x_row, row in zip(x_rows, sums, strict=True):
        codes = repeat(builder, load(builder, builder.add(x_row, builder.mul(k, I64(4))), I32), lanes)
        codes = builder.xor(codes, flip) if flip else codes
        updated.append([DOTS[level](builder, s, codes, w) for s, w in zip(row, weights, strict=True)])
    k_next = builder.add(k, I64(1))
    builder.cbranch(builder.icmp_signed("<", k_next, operands.steps), loop, after)

    k.add_incoming(I64(0), before)
    k.add_incoming(k_next, loop)
    for row, new_row in zip(sums, updated, strict=True):
        for phi, start, new in zip(row, bias, new_row, strict=True):
            phi.add_incoming(start, before)
            phi.add_incoming(new, loop)
    builder.position_at_end(after)
    return updated


def _bytes(level: Level) -> int:
    """Return the bytes of packed weights that one vector of sums takes in a step."""
    return level.traits.lanes * level.traits.group * level.traits.right.itemsize


def _load_weights(builder: Any, level: Level, address: Any, vectors: int) -> list[Any]:
    """Load s8 or s16 weights for each vector, widened to 16 bits for the levels that multiply 16 bits."""
    size, count, itemsize = _bytes(level), level.traits.lanes * level.traits.group, level.traits.right.itemsize
    kind = vector({1: I8, 2: I16}[itemsize], count)
    weights = [load(builder, builder.add(address, I64(size * v)), kind) for v in range(vectors)]
    return [builder.sext(w, vector(I16, count)) for w in weights] if itemsize < level.traits.left.itemsize else weights


def _dot_vnni(builder: Any, sums: Any, codes: Any, weights: Any) -> Any:
    """Add four u8 x s8 products to each lane."""
    name = f"llvm.x86.avx512.vpdpbusd.{32 * sums.type.count}"
    return call(builder, name, sums.type, sums, builder.bitcast(codes, weights.type), weights)


def _dot_neon(builder: Any, sums: Any, codes: Any, weights: Any) -> Any:
    """Add four s8 x s8 products to each lane."""
    return call(builder, "llvm.aarch64.neon.sdot.v4i32.v16i8", sums.type, sums, builder.bitcast(codes, weights.type), weights)


def _dot_words(builder: Any, sums: Any, codes: Any, weights: Any) -> Any:
    """Add two s16 x s16 products to each lane; compilers make it one instruction for processors with VNNI."""
    name = {8: "llvm.x86.avx2.pmadd.wd", 16: "llvm.x86.avx512.pmaddw.d.512"}[sums.type.count]
    products = call(builder, name, sums.type, builder.bitcast(codes, weights.type), weights)
    return builder.add(sums, products)


def _dot_portable(builder: Any, sums: Any, codes: Any, weights: Any) -> Any:
    """Add two s16 x s16 products to each lane, in generic instructions that compilers turn into `pmaddwd` or `smlal`."""
    pairs, lanes = builder.bitcast(codes, weights.type), weights.type.count

    def half(values: Any, start: int) -> Any:
        picked = shuffle(builder, values, ir.Constant(values.type, ir.Undefined), list(range(start, lanes, 2)))
        return builder.sext(picked, sums.type)

    products = [builder.mul(half(pairs, i), half(weights, i)) for i in (0, 1)]
    return builder.add(sums, builder.add(*products))


DOTS = {
    Level.AVX512_VNNI: _dot_vnni,
    Level.AVX_VNNI: _dot_vnni,
    Level.AVX2: _dot_words,
    Level.NEON_DOT: _dot_neon,
    Level.PORTABLE: _dot_portable,
    Level.AVX512_WORDS: _dot_words,
    Level.AVX2_WORDS: _dot_words,
    Level.PORTABLE_WORDS: _dot_portable,
}
"""How each level multiplies and adds."""
