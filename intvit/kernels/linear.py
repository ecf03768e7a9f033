"""Linear: tiles of the product with packed weights, rescaled while they are still in registers."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from intvit.kernels.jit import Scalar, device, kernel
from intvit.kernels.simd import Level
from intvit.kernels.tile import copy_row
from intvit.kernels.tiling import codes_of_rows, each_panel

Array = NDArray[Any]


@kernel(scratch=("codes",))
def linear(
    level: Level, x: Array, packed: Array, depth: int, bias: Array, multiplier: Array,
    shift: int, zero_point: int, low: int, high: int, codes: Array, beside: Array, y: Array, part: int, parts: int,
) -> None:  # fmt: skip
    """Compute `y = clip(rescale(x @ weight + bias, multiplier, shift) + zero_point)`.

    Args:
        level: decides the packing, and the instructions.
        x: the left operand, as `intvit.kernels.tile.dot_tile` takes it.
        packed: the weights, of padded depth `depth`.
        bias: s32, padded to whole panels, less `offset(level, signed, bits)` times the column sums of the weights, modulo 2^32.
        multiplier: s32, padded to whole panels.
        shift, zero_point, low, high: such that `intvit.kernels.codes_ir.fits_high_half` holds.
        codes: y's type, [M, columns of a tile], scratch.
        beside: u8 [tiles, ..]: memory to fetch meanwhile, as `intvit.kernels.tiling.codes_of_rows` does.
        y: s8/s16/s32 [M, N]; u8 and u16 codes are written by their bits.
    """
    rows, columns = y.shape
    operands = (x, (packed, depth, bias, multiplier), (shift, zero_point, low, high), codes, beside, y)
    each_panel(level, rows, columns, len(bias), linear_panel, operands, part, parts)


@device
def linear_panel(
    level: Level, first: Scalar, last: Scalar, column: Scalar, width: Scalar, valid: Scalar, tile: Scalar, operands: Any
) -> None:
    """Compute rows of one panel into y, directly if it is whole."""
    x, weights, numbers, codes, beside, y = operands
    whole = valid == width
    to = y[first:, column:] if whole else codes[0:, 0:]
    codes_of_rows(level, x, first, last, column, width, weights, numbers, to, beside, tile, y)
    if not whole:
        for r in range(first, last):
            copy_row(codes[r - first], y[r, column : column + valid])
