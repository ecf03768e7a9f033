"""Which tiles make up a product, and how the parts of a kernel share them."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from intvit.kernels.integer import finish, fits_high_half, share
from intvit.kernels.jit import Scalar, device
from intvit.kernels.simd import Level
from intvit.kernels.tile import code_tile, dot_tile, panel_width, tile_rows

Array = NDArray[Any]


@device
def each_tile(
    level: Level, rows: Scalar, columns: Scalar, padded: Scalar, compute: Any, operands: Any, part: Scalar, parts: Scalar
) -> None:
    """Call `compute(level, row, height, column, width, valid, operands)` for share `part` of `parts` of all tiles.

    A tile is `height` rows of a panel of `width` columns, of which `valid` exist; panels follow one another, so that weights
    stay in the first cache for as long as there are rows.

    Args:
        rows, columns: the product's shape; `padded` columns make whole panels.
        compute: a device function.
        operands: a tuple that is handed on to it.
    """
    tiles = -(-rows // tile_rows(level))
    start, stop = share(tiles * panel_count(level, padded), part, parts)
    column, before = 0, 0
    while column < columns:
        width = panel_width(level, padded - column)
        valid = min(width, columns - column)
        for tile in range(max(start - before, 0), min(stop - before, tiles)):
            row = tile * tile_rows(level)
            compute(level, row, min(tile_rows(level), rows - row), column, width, valid, operands)
        before += tiles
        column += width


@device
def panel_count(level: Level, padded: Scalar) -> Scalar:
    """Return how many panels `padded` columns have."""
    count, column = 0, 0
    while column < padded:
        column += panel_width(level, padded - column)
        count += 1
    return count


@device
def codes_of_tile(
    level: Level, x: Array, row: Scalar, height: Scalar, column: Scalar, width: Scalar,
    weights: Any, numbers: Any, sums: Array, codes: Array,
) -> None:  # fmt: skip
    """Compute `codes = clip(rescale(x @ weight + bias, multiplier, shift) + zero_point)` for one tile.

    Args:
        x: as in `intvit.kernels.linear`.
        weights: packed weights, depth, bias, multiplier, as there.
        numbers: shift, zero_point, low, high.
        sums: s32 of `tile_shape(level)`, scratch.
        codes: as large, of at most 32 bits.
    """
    packed, depth, bias, multiplier = weights
    shift, zero_point, low, high = numbers
    panel, factors = packed[column * depth :], multiplier[column : column + width]
    if fits_high_half(shift, zero_point, low, high):
        code_tile(
            level, x[row:], 0, height, 0, width, panel, depth, bias[column:], factors, shift, zero_point, low, high, codes
        )
    else:
        dot_tile(level, x[row:], 0, height, 0, width, panel, depth, bias[column:], sums, 0, 0)
        for r in range(height):
            finish(sums[r], factors, shift, zero_point, low, high, codes[r, :width])
