"""From sums in registers to stored codes: rescale, zero point, clip and narrowing as LLVM vector instructions.

Only the high half `h = p >> 32` of each 64-bit product is kept: `(p + 2**(shift - 1)) >> shift` equals
`(h + 2**(shift - 33)) >> (shift - 32)` for shifts above 32, and all that follows fits 32 bits. The zero point is added together
with the half. For smaller shifts, the sums and the shift are lifted first, by `lift(shift)`; `fits_high_half` says when this is
exact.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from llvmlite import ir

from intvit.kernels.narrow_ir import narrow
from intvit.kernels.simd import Level
from intvit.kernels.vector_ir import I32, I64, constant, load, repeat, shift_lanes, shuffle, store, vector


@dataclass(frozen=True)
class Output:
    """How to make codes of a tile's sums, as int64 values of LLVM: `y_rows` and `multiplier` are addresses."""

    y_rows: list[Any]
    multiplier: Any
    shift: Any
    zero_point: Any
    low: Any
    high: Any


def lift(shift: int) -> int:
    """Return by how many bits the sums and the shift are lifted."""
    return max(33 - shift, 0)


def fits_high_half(largest: int, shift: int, zero_point: int, low: int, high: int) -> bool:
    """Whether codes can be made this way of sums of at most `largest`, up to their sign."""
    lifted, down = largest << lift(shift), shift + lift(shift) - 32
    middles = [0, *(1 << (bits - 1) for bits in (8, 16) if 1 << (bits - 1) <= high < 1 << bits)]
    start = (1 << (down - 1)) + (max(abs(zero_point - middle) for middle in middles) << down)
    return lifted < 1 << 31 and lifted // 2 + 1 + start < 1 << 31 and low >= -(1 << 31) and high < 1 << 31


def emit_codes(builder: Any, level: Level, output: Output, sums: list[list[Any]], bits: int) -> None:
    """Emit `clip(rescale(sums, multiplier, shift) + zero_point)` for a tile, and its store as integers of `bits` bits.

    Signed narrowing serves unsigned codes too: these are made smaller by half their range, which flips their top bit.
    """
    element, lanes = ir.IntType(bits), level.traits.lanes
    columns = lanes * len(sums[0])
    is_unsigned = builder.icmp_signed(">", output.high, I64((1 << (bits - 1)) - 1))
    middle = builder.select(is_unsigned, I64(1 << (bits - 1)), I64(0))

    def spread(value: Any) -> Any:
        return repeat(builder, builder.trunc(value, I32), lanes)

    def spread_code(value: Any) -> Any:
        return repeat(builder, builder.trunc(value, element), columns)

    above = builder.sub(output.shift, I64(32))
    is_above = builder.icmp_signed(">", above, I64(0))
    down = builder.select(is_above, above, I64(1))
    up = builder.select(is_above, I64(0), builder.sub(I64(1), above))
    half = builder.shl(I64(1), builder.sub(down, I64(1)))
    start = spread(builder.add(half, builder.shl(builder.sub(output.zero_point, middle), down)))
    up, down = builder.trunc(up, I32), builder.trunc(down, I32)
    lows, highs, flip = (spread_code(n) for n in (builder.sub(output.low, middle), builder.sub(output.high, middle), middle))
    factors = [
        _split(builder, load(builder, builder.add(output.multiplier, I64(4 * lanes * v)), vector(I32, lanes)))
        for v in range(len(sums[0]))
    ]
    for y_row, row in zip(output.y_rows, sums, strict=True):
        scaled = [
            shift_lanes(builder, "sra", builder.add(_high_half(builder, shift_lanes(builder, "sll", s, up), f), start), down)
            for s, f in zip(row, factors, strict=True)
        ]
        codes = narrow(builder, scaled, element)
        codes = builder.select(builder.icmp_signed("<", codes, lows), lows, codes)
        codes = builder.select(builder.icmp_signed(">", codes, highs), highs, codes)
        store(builder, builder.xor(codes, flip), y_row)


def _high_half(builder: Any, sums: Any, factors: tuple[Any, Any]) -> Any:
    """Return the upper 32 bits of the products with even and odd factors."""
    even, odd = (builder.bitcast(builder.mul(s, f), sums.type) for s, f in zip(_split(builder, sums), factors, strict=True))
    lanes = sums.type.count
    return shuffle(builder, even, odd, [(i | 1) + lanes * (i % 2) for i in range(lanes)])


def _split(builder: Any, values: Any) -> tuple[Any, Any]:
    """Return the even and the odd int32 lanes as int64."""
    kind = vector(I64, values.type.count // 2)
    pairs, upper = builder.bitcast(values, kind), constant(kind, 32)
    return builder.ashr(builder.shl(pairs, upper), upper), builder.ashr(pairs, upper)
