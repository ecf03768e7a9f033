"""The dot-product tiles as functions that kernels call: a switch over the tile's shape, with one loop for each.

A tile is up to 6 rows by up to `Traits.vectors` vectors of int32 sums. The literal `flips`, whether the codes of x have the
other sign than the level multiplies, chooses what is compiled.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from numba import types
from numba.extending import intrinsic

from intvit.kernels.codes_ir import Output, emit_codes
from intvit.kernels.shared import PREFIX, call_shared
from intvit.kernels.sums_ir import NEXT_BYTES, Operands, emit_sums
from intvit.kernels.vector_ir import I64, prefetch, store

ROWS = 6
HEIGHTS = (1, 4, ROWS)
"""How many rows a loop takes. A tile whose rows lie between goes through the next larger one, and its last row is repeated."""


def _emit_tile(
    builder: Any,
    level: Any,
    flips: Any,
    arguments: list[Any],
    fetches: Sequence[tuple[Any, Any]],
    emit_end: Callable[[list[list[Any]], list[Any]], None],
) -> None:
    """Emit the switch; `emit_end` gets what a loop leaves, and the addresses of the rows to store it to."""
    rows, vectors, x, x_stride, packed, steps, bias, out, out_stride = arguments
    most = level.level.traits.vectors
    done = builder.append_basic_block("tile.done")
    case = vectors
    for height in HEIGHTS[:-1]:
        case = builder.add(case, builder.select(builder.icmp_signed(">", rows, I64(height)), I64(most), I64(0)))
    switch = builder.switch(case, done)
    for i, height in enumerate(HEIGHTS):
        for width in range(1, most + 1):
            block = builder.append_basic_block(f"tile.{height}x{width}")
            switch.add_case(I64(i * most + width), block)
            builder.position_at_end(block)
            x_rows, out_rows = (
                _rows(builder, start, stride, rows, height) for start, stride in ((x, x_stride), (out, out_stride))
            )
            operands = Operands(x_rows, packed, steps, bias, fetches)
            emit_end(emit_sums(builder, level.level, flips.literal_value, operands, width), out_rows)
            builder.branch(done)
    builder.position_at_end(done)


def _rows(builder: Any, start: Any, stride: Any, rows: Any, height: int) -> list[Any]:
    """Return the addresses of `height` rows; those that a tile has less repeat its last."""
    addresses = [start]
    for r in range(1, height):
        exists = builder.icmp_signed("<", I64(r), rows)
        addresses.append(builder.add(addresses[-1], builder.select(exists, stride, I64(0))))
    return addresses


def _sums_tile(  # type: ignore[no-untyped-def]
    _typing: Any, level, flips, rows, vectors, x, x_stride, packed, steps, bias, out, out_stride,  # noqa: ANN001
) -> Any:  # fmt: skip
    lanes = level.level.traits.lanes

    def emit_body(builder: Any, arguments: list[Any]) -> None:
        def end(sums: list[list[Any]], out_rows: list[Any]) -> None:
            for out_row, row in zip(out_rows, sums, strict=True):
                for v, vector in enumerate(row):
                    store(builder, vector, builder.add(out_row, I64(4 * lanes * v)))

        _emit_tile(builder, level, flips, arguments, (), end)

    def emit(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        name = f"{PREFIX}sums.{level.level}.{flips.literal_value}"
        call_shared(builder, name, arguments[2:], emit_body)
        return context.get_dummy_value()

    return types.void(level, flips, *[types.int64] * 9), emit


def _codes_tile(  # type: ignore[no-untyped-def]
    _typing: Any, level, flips, bits, rows, vectors, x, x_stride, packed, steps, bias, y, y_stride,  # noqa: ANN001
    ahead, beside, beside_stride, partner, partner_stride, last_line,  # noqa: ANN001
    multiplier, shift, zero_point, low, high,  # noqa: ANN001
) -> Any:  # fmt: skip
    def emit_body(builder: Any, arguments: list[Any]) -> None:
        def end(sums: list[list[Any]], y_rows: list[Any]) -> None:
            emit_codes(builder, level.level, Output(y_rows, *arguments[15:]), sums, bits.literal_value)

        ahead, beside, beside_stride, partner, partner_stride, last_line = arguments[9:15]
        for address in _rows(builder, partner, partner_stride, arguments[0], ROWS):
            prefetch(builder, address, cache=2)
            prefetch(builder, builder.add(address, last_line), cache=2)
        fetches = (ahead, I64(NEXT_BYTES)), (beside, beside_stride)
        _emit_tile(builder, level, flips, arguments[:9], fetches, end)

    def emit(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        name = f"{PREFIX}codes.{level.level}.{flips.literal_value}.{bits.literal_value}"
        call_shared(builder, name, arguments[3:], emit_body)
        return context.get_dummy_value()

    return types.void(level, flips, bits, *[types.int64] * 20), emit


sums_tile: Any = intrinsic(prefer_literal=True)(_sums_tile)
"""Store a tile of s32 sums.

Addresses and byte strides are int64; `steps` is the padded depth divided by `Traits.group`, at least 1.
"""

codes_tile: Any = intrinsic(prefer_literal=True)(_codes_tile)
"""Store a tile of `clip(rescale(sums, multiplier, shift) + zero_point)` as integers of `bits` bits, a literal: 8, 16 or 32.

Needs `intvit.kernels.codes_ir.fits_high_half`; `multiplier` holds one s32 for every column of the panel. `ahead` is where
the part of the next panel starts that this tile fetches, `beside` the same of another product, `beside_stride` bytes a step.
It also fetches the first line of its rows from `partner` on, and the one that starts `last_line` bytes later.
"""
