"""Linear: tiles of the product with packed weights, rescaled while they are still in the first cache."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from intvit.kernels.integer import finish, fits_high_half
from intvit.kernels.jit import kernel
from intvit.kernels.tile import code_tile, dot_tile, panel_width
from intvit.kernels.vector_tile import ROWS

Array = NDArray[Any]


@kernel()
def linear(
    x: Array, flip: int, packed: Array, depth: int, bias: Array, multiplier: Array,
    shift: int, zero_point: int, low: int, high: int, sums: Array, y: Array,
) -> None:  # fmt: skip
    """Compute `y = clip(rescale(x @ weight + bias, multiplier, shift) + zero_point)`.

    Args:
        x: u8 [M, K], readable 3 bytes beyond its end; `flip` makes s8 codes u8, 128 larger.
        packed: the weights, of padded depth `depth`.
        bias: s32, padded to whole panels, with the correction for `flip`.
        multiplier: s32 [N].
        sums: s32 [6, 64], scratch.
        y: s8/s16/s32 [M, N]; u8 and u16 codes are written by their bits.
    """
    rows, columns = y.shape
    direct = y.itemsize <= 4 and fits_high_half(shift, zero_point, low, high)
    column = 0
    while column < columns:
        width = panel_width(packed, len(bias) - column)
        end = min(column + width, columns)
        for row in range(0, rows, ROWS):
            height = min(ROWS, rows - row)
            if direct and end - column == width:
                code_tile(
                    x, flip, row, height, column, width, packed, depth, bias,
                    multiplier, shift, zero_point, low, high, y,
                )  # fmt: skip
            else:
                dot_tile(x, flip, row, height, column, width, packed, depth, bias, sums, 0, 0)
                for r in range(height):
                    finish(sums[r], multiplier[column:end], shift, zero_point, low, high, y[row + r, column:end])
        column += width
