"""Linear with 16-bit inputs, for the few rows that get them: their lower and upper bytes are multiplied one after the other."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from intvit.kernels.integer import finish, shift_left
from intvit.kernels.jit import Scalar, device, kernel
from intvit.kernels.simd import Level
from intvit.kernels.tile import dot_tile
from intvit.kernels.tiling import each_panel
from intvit.kernels.vector import LANES_16, load, store

Array = NDArray[Any]


@kernel(scratch=("bytes_of_row", "sums"))
def linear_wide(
    level: Level, x: Array, lower: int, upper: int, packed: Array, depth: int, bias: Array, zeros: Array, multiplier: Array,
    shift: int, zero_point: int, low: int, high: int, bytes_of_row: Array, sums: Array, y: Array, part: int, parts: int,
) -> None:  # fmt: skip
    """Compute `y = clip(rescale(x @ weight + bias, multiplier, shift) + zero_point)`.

    Args:
        level: decides the packing, and the instructions.
        x: s16/u16 [M, K]; `lower` and `upper` are added to its bytes to make them the level's own left operands.
        packed: the weights, of padded depth `depth`.
        bias: s32, padded to whole panels, less `lower + 256 upper` times the column sums of the weights, modulo 2^32.
        zeros: s32, as many.
        multiplier: s32, as many.
        bytes_of_row: of `operand_type(level)` [2, depth], scratch.
        sums: s32 [2, columns of a tile], scratch.
        y: s8/s16/s32 [M, N]; u8 and u16 codes are written by their bits.
    """
    for row in range(len(x)):
        split_bytes(x[row], lower, upper, bytes_of_row)
        operands = (bytes_of_row, packed, depth, bias, zeros, multiplier, (shift, zero_point, low, high), sums, y[row])
        each_panel(level, 1, y.shape[1], len(bias), wide_panel, operands, part, parts)


@device
def split_bytes(x: Array, lower: Scalar, upper: Scalar, bytes_of_row: Array) -> None:
    """Write the lower and the upper bytes of a row with unit stride; what is added wraps."""
    for k in range(0, len(x), LANES_16):
        codes = load(x, k, LANES_16, 0)
        store(bytes_of_row[0], k, (codes & 255) + lower)
        store(bytes_of_row[1], k, (codes >> 8) + upper)


@device
def wide_panel(
    level: Level, _first: Scalar, _last: Scalar, column: Scalar, width: Scalar, valid: Scalar, operands: Any
) -> None:
    """Compute one row of a panel into y; sums of upper bytes may wrap, the total does not."""
    bytes_of_row, packed, depth, bias, zeros, multiplier, (shift, zero_point, low, high), sums, y = operands
    dot_tile(level, bytes_of_row, 0, 1, column, width, packed, depth, bias, sums, 0, 0)
    dot_tile(level, bytes_of_row, 1, 1, column, width, packed, depth, zeros, sums, 1, 0)
    total, high_sums, end = sums[0], sums[1], column + valid
    for c in range(valid):
        total[c] = np.int32(total[c] + shift_left(high_sums[c], 8))
    finish(total[:valid], multiplier[column:end], shift, zero_point, low, high, y[column:end])
