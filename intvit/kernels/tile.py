"""The dot-product tile that the matrix kernels share, and how its operands lie in memory.

A right-hand side `[K, N]` of s8 or s16 is packed into panels of whole vectors of columns. Its depth is padded with zeros to
whole groups of 4 or 2, as many as one instruction multiplies for each sum, and a panel is `[K / group][columns][group]`.
Panels follow one another, so the panel of column c starts at element `c * padded depth`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numba.core.errors import TypingError
from numba.extending import overload
from numpy.typing import NDArray

from intvit.kernels.jit import device
from intvit.kernels.simd import Level
from intvit.kernels.sums_ir import CACHE_LINE, NEXT_BYTES
from intvit.kernels.vector_tile import ROWS, codes_tile, sums_tile

Array = NDArray[Any]


def left_type(level: Level, signed: bool) -> np.dtype[Any]:
    """Return the type of left operands that hold s8 or u8 codes: s16, made by `intvit.kernels.widen`, or as they are."""
    return level.traits.left if level.traits.group == 2 else np.dtype(np.int8 if signed else np.uint8)


def operand_type(level: Level) -> np.dtype[Any]:
    """Return the type of left operands that the tile multiplies without an offset."""
    return level.traits.left


def offset(level: Level, signed: bool, bits: int = 8) -> int:
    """Return what is added to each code of 8 or 16 bits of a left operand, to be made up for in the bias."""
    multiplied = operand_type(level)
    if signed == (multiplied.kind == "i") or bits < 8 * multiplied.itemsize:
        return 0
    return 1 << (bits - 1) if signed else -(1 << (bits - 1))


def tile_shape(level: Level) -> tuple[int, int]:
    """Return the rows and columns of the largest tile."""
    return ROWS, level.traits.lanes * level.traits.vectors


def padded_depth(level: Level, depth: int) -> int:
    """Return `depth` rounded up to whole groups."""
    return -(-depth // level.traits.group) * level.traits.group


def padded_columns(level: Level, columns: int) -> int:
    """Return `columns` rounded up to whole vectors."""
    return -(-columns // level.traits.lanes) * level.traits.lanes


def panel_width(level: Level, columns: int) -> int:
    """Return the width of the next panel when `columns` padded columns are left; a last panel of one vector is avoided."""
    lanes, most = level.traits.lanes, level.traits.vectors
    if columns <= most * lanes:
        return columns
    return (most - 1) * lanes if columns == (most + 1) * lanes and most > 2 else most * lanes


@overload(panel_width)
def _panel_width(level: Any, columns: Any) -> Callable[..., Any]:
    lanes, most = level.level.traits.lanes, level.level.traits.vectors

    def width(level: Any, columns: Any) -> Any:
        if columns <= most * lanes:
            return np.int64(columns)
        return np.int64((most - 1) * lanes if columns == (most + 1) * lanes and most > 2 else most * lanes)

    return width


def tile_rows(level: Level) -> int:
    """Return the rows of the largest tile."""
    return tile_shape(level)[0]


@overload(tile_rows)
def _tile_rows(level: Any) -> Callable[..., Any]:
    height = tile_rows(level.level)

    def rows(level: Any) -> int:
        return height

    return rows


@device
def copy_row(x: Array, y: Array) -> None:
    """Copy as many elements as `y` has (NumPy's slice assignment would bring in floats, for its error message)."""
    for c in range(len(y)):
        y[c] = x[c]


def dot_tile(*arguments: Any) -> None:
    """Compute `out[i, j] = bias[column + j] + sum over k of (x[row + i, k] + offset) * packed[k, column + j]` for one tile.

    Arguments:
        level: the SIMD level.
        x: of `left_type` or `operand_type`, or codes of 16 bits at a level that multiplies such, [M, K]; unit stride in K,
            readable up to the padded depth.
        row, rows: the first row and 1 to 6 of them; column, width: one panel.
        packed: flat panels; depth: padded; bias: s32, padded to whole panels.
        out, out_row, out_column: s32 [.., ..], where the tile goes.
    """
    raise NotImplementedError("only kernels call this")


@overload(dot_tile, jit_options={"forceinline": True})
def _dot_tile(
    level: Any, x: Any, row: Any, rows: Any, column: Any, width: Any,
    packed: Any, depth: Any, bias: Any, out: Any, out_row: Any, out_column: Any,
) -> Callable[..., None]:  # fmt: skip
    lanes, group, flips = *_sizes(level), _flips(level, x)

    def store(
        level: Any, x: Any, row: Any, rows: Any, column: Any, width: Any,
        packed: Any, depth: Any, bias: Any, out: Any, out_row: Any, out_column: Any,
    ) -> None:  # fmt: skip
        sums_tile(
            level, flips, np.int64(rows), np.int64(width // lanes),
            np.int64(x.ctypes.data + row * x.strides[0]), np.int64(x.strides[0]),
            np.int64(packed.ctypes.data + column * depth * packed.itemsize), np.int64(depth // group),
            np.int64(bias.ctypes.data + 4 * column),
            np.int64(out.ctypes.data + out_row * out.strides[0] + 4 * out_column), np.int64(out.strides[0]),
        )  # fmt: skip

    return store


def code_tile(*arguments: Any) -> None:
    """Compute a tile as `dot_tile` does, rescale it in registers and store its codes into the first columns of `y`, at `y_row`.

    Meanwhile, each tile of a panel fetches a part of the next one, row `tile` of `beside`, u8 [.., ..], and its own columns of
    `partner` [.., ..], from row `partner_row` on (of elements beyond 16 bits, those in its first and last cache line). Only for
    `y` of at most 32 bits, and where `intvit.kernels.codes_ir.fits_high_half` holds.
    """
    raise NotImplementedError("only kernels call this")


@overload(code_tile, jit_options={"forceinline": True})
def _code_tile(
    level: Any, x: Any, row: Any, rows: Any, column: Any, width: Any, packed: Any, depth: Any, bias: Any,
    beside: Any, tile: Any, partner: Any, partner_row: Any,
    multiplier: Any, shift: Any, zero_point: Any, low: Any, high: Any, y: Any, y_row: Any,
) -> Callable[..., None]:  # fmt: skip
    lanes, group, flips, bits = *_sizes(level), _flips(level, x), y.dtype.bitwidth

    def store(
        level: Any, x: Any, row: Any, rows: Any, column: Any, width: Any, packed: Any, depth: Any, bias: Any,
        beside: Any, tile: Any, partner: Any, partner_row: Any,
        multiplier: Any, shift: Any, zero_point: Any, low: Any, high: Any, y: Any, y_row: Any,
    ) -> None:  # fmt: skip
        panel, steps = np.int64(packed.ctypes.data + column * depth * packed.itemsize), np.int64(depth // group)
        codes_tile(
            level, flips, bits, np.int64(rows), np.int64(width // lanes),
            np.int64(x.ctypes.data + row * x.strides[0]), np.int64(x.strides[0]),
            panel, steps, np.int64(bias.ctypes.data + 4 * column),
            np.int64(y.ctypes.data + y_row * y.strides[0]), np.int64(y.strides[0]),
            np.int64(panel + width * depth * packed.itemsize + row // ROWS * steps * NEXT_BYTES),
            np.int64(beside.ctypes.data + tile * beside.shape[1]), np.int64(-(-beside.shape[1] // steps)),
            np.int64(partner.ctypes.data + partner_row * partner.strides[0] + column * partner.itemsize),
            np.int64(partner.strides[0]), np.int64(max(0, width * partner.itemsize - CACHE_LINE)),
            np.int64(multiplier.ctypes.data + 4 * column), np.int64(shift), np.int64(zero_point), np.int64(low), np.int64(high),
        )  # fmt: skip

    return store


def _sizes(level: Any) -> tuple[int, int]:
    return level.level.traits.lanes, level.level.traits.group


def _flips(level: Any, x: Any) -> bool:
    """Whether the codes of x have the other sign than the level multiplies.

    Raises:
        TypingError: x needs to be widened, or another level.
    """
    left = level.level.traits.left
    if x.dtype.bitwidth != 8 * left.itemsize:
        raise TypingError(f"the left operand must be of type {left} for {level}, got {x.dtype}")
    return bool(x.dtype.signed != (left.kind == "i"))
