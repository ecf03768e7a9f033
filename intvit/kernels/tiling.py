"""Which tiles make up a product, and how the parts of a kernel share them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from intvit.kernels.integer import share
from intvit.kernels.jit import Scalar, device
from intvit.kernels.simd import Level
from intvit.kernels.tile import code_tile, panel_width, tile_rows

Array = NDArray[Any]


@device
def each_panel(
    level: Level, rows: Scalar, columns: Scalar, padded: Scalar, compute: Any, operands: Any, part: Scalar, parts: Scalar
) -> None:
    """Call `compute(level, first, last, column, width, valid, tile, operands)` for share `part` of `parts` of all tiles.

    Each call covers the rows from `first` up to `last` of a panel of `width` columns, of which `valid` exist; `tile` numbers
    its first tile. Panels follow one another, so that weights stay in the first cache for as long as there are rows.

    Args:
        rows, columns: the product's shape; `padded` columns make whole panels.
        compute: a device function.
        operands: a tuple that is handed on to it.
    """
    height = tile_rows(level)
    tiles = -(-rows // height)
    start, stop = share(tiles * panel_count(level, padded), part, parts)
    column, before = np.int64(0), np.int64(0)
    while column < columns:
        width = panel_width(level, padded - column)
        first, last = max(start - before, 0) * height, min(min(stop - before, tiles) * height, rows)
        if first < last:
            compute(level, first, last, column, width, min(width, columns - column), max(start, before), operands)
        before += tiles
        column += width


@device
def panel_count(level: Level, padded: Scalar) -> Scalar:
    """Return how many panels `padded` columns have."""
    count, column = np.int64(0), np.int64(0)
    while column < padded:
        column += panel_width(level, padded - column)
        count += 1
    return count


@device
def codes_of_rows(
    level: Level, x: Array, first: Scalar, last: Scalar, column: Scalar, width: Scalar,
    weights: Any, numbers: Any, codes: Array, beside: Array, tile: Scalar, partner: Array,
) -> None:  # fmt: skip
    """Compute `codes = clip(rescale(x @ weight + bias, multiplier, shift) + zero_point)` for some rows of one panel.

    Args:
        x: as in `intvit.kernels.linear`; its rows from `first` up to `last` count.
        weights: packed weights, depth, bias, multiplier, as there.
        numbers: shift, zero_point, low, high, for which `intvit.kernels.codes_ir.fits_high_half` holds.
        codes: of at most 32 bits, `last - first` rows, at least `width` columns.
        beside: u8 [tiles of the whole product, ..]: each tile fetches its row, for another product.
        tile: the number of the first one.
        partner: [M, N], what is read or written along with the codes: each tile fetches its own place in it.
    """
    packed, depth, bias, multiplier = weights
    shift, zero_point, low, high = numbers
    for row in range(first, last, tile_rows(level)):
        height = min(tile_rows(level), last - row)
        code_tile(
            level, x, row, height, column, width, packed, depth, bias, beside, tile + (row - first) // tile_rows(level),
            partner, row, multiplier, shift, zero_point, low, high, codes, row - first,
        )  # fmt: skip
