"""The dot-product tile that the matrix kernels share, and the packing of the right-hand side it reads.

A right-hand side `[K, N]` is cut into panels of 64 columns (VNNI only), then of 16 for what is left, and its depth is padded
with zeros to a multiple of 4. The element type of the packed array tells the SIMD level: int8 is VNNI's `[K/4][columns][4]`;
int16 is the portable `[K/4][2][columns][2]`, where the four are in the order 0, 2 and 1, 3. Panels follow one another, so the
panel of column c starts at element `c * padded depth`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numba.extending import overload
from numpy.typing import NDArray

from intvit.kernels.jit import device
from intvit.kernels.simd import Level
from intvit.kernels.vector_tile import LANES, ROWS, VECTORS, codes_tile, sums_tile

Array = NDArray[Any]

WIDE = LANES * VECTORS
"""Columns of a wide panel."""
SIGN_FLIP = -0x7F7F7F80
"""0x80808080 as int32: turns four s8 into u8 that are larger by 128."""


def offset(level: Level, signed: bool) -> int:
    """Return what the tile adds to each code of the left operand."""
    return 128 if signed else 0


def operand_type(level: Level) -> np.dtype[Any]:
    """Return the element type of the left operands that the tile multiplies as they are."""
    return np.dtype(np.uint8)


def left_type(level: Level, signed: bool) -> np.dtype[Any]:
    """Return the element type of the left operands to pass."""
    return np.dtype(np.int8 if signed else np.uint8)


def tile_shape(level: Level) -> tuple[int, int]:
    """Return the rows and columns of the largest tile."""
    return ROWS, WIDE


def padded_depth(level: Level, depth: int) -> int:
    """Return `depth` rounded up to a multiple of 4."""
    return -(-depth // 4) * 4


def padded_columns(level: Level, columns: int) -> int:
    """Return `columns` rounded up to whole panels."""
    return -(-columns // LANES) * LANES


def packed_type(level: Level) -> np.dtype[Any]:
    """Return the element type of packed right-hand sides at a SIMD level."""
    return np.dtype(np.int8 if level is Level.AVX512_VNNI else np.int16)


def pack(matrix: Array, level: Level, out: Array) -> None:
    """Pack s8 `matrix` [K, N] into flat `out`, padded depth times padded columns elements of `packed_type(level)`."""
    depth, columns = padded_depth(level, matrix.shape[0]), padded_columns(level, matrix.shape[1])
    whole = np.zeros((depth, columns), np.int8)
    whole[: matrix.shape[0], : matrix.shape[1]] = matrix
    start = 0
    while start < columns:
        width = panel_width(level, columns - start)
        panel: Array = whole[:, start : start + width]
        if level is Level.AVX512_VNNI:
            panel = panel.reshape(depth // 4, 4, width).transpose(0, 2, 1)
        else:
            panel = panel.reshape(depth // 4, 2, 2, width).transpose(0, 2, 3, 1)
        out[start * depth : (start + width) * depth] = panel.ravel()
        start += width


def panel_width(level: Level, columns: int) -> int:
    """Return the width of the next panel when `columns` padded columns are left."""
    return WIDE if level is Level.AVX512_VNNI and columns >= WIDE else LANES


@overload(panel_width)
def _panel_width(level: Any, columns: Any) -> Callable[..., Any]:
    wide = level.level is Level.AVX512_VNNI

    def width(level: Any, columns: Any) -> Any:
        return np.int64(WIDE) if wide and columns >= WIDE else np.int64(LANES)

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
        x: of `left_type` [M, K], unit stride in K, readable up to the padded depth.
        row, rows: the first row and 1 to 6 of them; column, width: one panel.
        packed: flat panels; depth: padded; bias: s32, padded to whole panels.
        out, out_row, out_column: s32 [.., ..], where the tile goes.
    """
    raise NotImplementedError("only kernels call this")


@overload(dot_tile)
def _dot_tile(
    level: Any, x: Any, row: Any, rows: Any, column: Any, width: Any,
    packed: Any, depth: Any, bias: Any, out: Any, out_row: Any, out_column: Any,
) -> Callable[..., None]:  # fmt: skip
    weight_bits, flip = packed.dtype.bitwidth, SIGN_FLIP if x.dtype.signed else 0

    def store(
        level: Any, x: Any, row: Any, rows: Any, column: Any, width: Any,
        packed: Any, depth: Any, bias: Any, out: Any, out_row: Any, out_column: Any,
    ) -> None:  # fmt: skip
        sums_tile(
            weight_bits, np.int64(x.ctypes.data + row * x.strides[0]), np.int64(x.strides[0]), np.int64(flip),
            np.int64(packed.ctypes.data + column * depth * packed.itemsize), np.int64(depth >> 2),
            np.int64(bias.ctypes.data + 4 * column),
            np.int64(out.ctypes.data + out_row * out.strides[0] + 4 * out_column), np.int64(out.strides[0]),
            np.int64(rows), np.int64(width // LANES),
        )  # fmt: skip

    return store


def code_tile(*arguments: Any) -> None:
    """Compute a tile as `dot_tile` does, rescale it in registers and store its codes into `y` at `row`, `column`.

    Only for `y` of at most 32 bits, and where `intvit.kernels.integer.fits_high_half` holds.
    """
    raise NotImplementedError("only kernels call this")


@overload(code_tile)
def _code_tile(
    level: Any, x: Any, row: Any, rows: Any, column: Any, width: Any, packed: Any, depth: Any, bias: Any,
    multiplier: Any, shift: Any, zero_point: Any, low: Any, high: Any, y: Any,
) -> Callable[..., None]:  # fmt: skip
    weight_bits, code_bits, flip = packed.dtype.bitwidth, y.dtype.bitwidth, SIGN_FLIP if x.dtype.signed else 0

    def store(
        level: Any, x: Any, row: Any, rows: Any, column: Any, width: Any, packed: Any, depth: Any, bias: Any,
        multiplier: Any, shift: Any, zero_point: Any, low: Any, high: Any, y: Any,
    ) -> None:  # fmt: skip
        codes_tile(
            weight_bits, code_bits, np.int64(x.ctypes.data + row * x.strides[0]), np.int64(x.strides[0]), np.int64(flip),
            np.int64(packed.ctypes.data + column * depth * packed.itemsize), np.int64(depth >> 2),
            np.int64(bias.ctypes.data + 4 * column), np.int64(multiplier.ctypes.data + 4 * column),
            np.int64(shift), np.int64(zero_point), np.int64(low), np.int64(high),
            np.int64(y.ctypes.data + row * y.strides[0] + column * y.strides[1]), np.int64(y.strides[0]),
            np.int64(rows), np.int64(width // LANES),
        )  # fmt: skip

    return store
