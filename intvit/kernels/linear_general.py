"""Linear with any shift, zero point and clip: the sums of a tile are stored, then rescaled in 64 bits."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from intvit.kernels.integer import finish
from intvit.kernels.jit import Scalar, device, kernel
from intvit.kernels.simd import Level
from intvit.kernels.tile import dot_tile, tile_rows
from intvit.kernels.tiling import each_panel

Array = NDArray[Any]


@kernel(scratch=("sums",))
def linear_general(
    level: Level, x: Array, packed: Array, depth: int, bias: Array, multiplier: Array,
    shift: int, zero_point: int, low: int, high: int, sums: Array, y: Array, part: int, parts: int,
) -> None:  # fmt: skip
    """Compute what `linear` does, where `intvit.kernels.codes_ir.fits_high_half` does not hold.

    Args:
        level to high, y: as in `linear`.
        sums: s32 of `tile_shape(level)`, scratch.
    """
    rows, columns = y.shape
    operands = (x, packed, depth, bias, multiplier, (shift, zero_point, low, high), sums, y)
    each_panel(level, rows, columns, len(bias), general_panel, operands, part, parts)


@device
def general_panel(
    level: Level, first: Scalar, last: Scalar, column: Scalar, width: Scalar, valid: Scalar, _tile: Scalar, operands: Any
) -> None:
    """Compute rows of one panel into y."""
    x, packed, depth, bias, multiplier, (shift, zero_point, low, high), sums, y = operands
    end = column + valid
    for row in range(first, last, tile_rows(level)):
        height = min(tile_rows(level), last - row)
        dot_tile(level, x, row, height, column, width, packed, depth, bias, sums, 0, 0)
        for r in range(height):
            finish(sums[r, :valid], multiplier[column:end], shift, zero_point, low, high, y[row + r, column:end])
