"""MatMul: the right-hand side is packed a head at a time, then multiplied tile by tile."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from intvit.kernels.integer import share
from intvit.kernels.jit import Scalar, device, kernel
from intvit.kernels.pack import pack_activation
from intvit.kernels.simd import Level
from intvit.kernels.tile import copy_row, dot_tile, panel_width, tile_rows
from intvit.kernels.tiling import each_panel

Array = NDArray[Any]


@kernel(scratch=("packed", "bias", "sums"), strided=("a", "b"))
def matmul(
    level: Level, a: Array, b: Array, packed: Array, depth: int, bias: Array, offsets: Array, sums: Array, y: Array,
    part: int, parts: int,
) -> None:  # fmt: skip
    """Compute `y = a @ b` for every head.

    Args:
        level: decides the packing, and the instructions.
        a: the left operands of all heads, each as `intvit.kernels.tile.dot_tile` takes it.
        b: s8 or s16 [H, K, N], any strides.
        packed: scratch for one head of b, of padded depth `depth`.
        bias: s32 scratch, N padded to whole panels.
        offsets: of `operand_type(level)` [1, depth]: what was added to each code of a.
        sums: s32 of `tile_shape(level)`, scratch.
        y: s32 [H, M, N].
    """
    start, stop = share(len(y), part, parts)
    for head in range(start, stop):
        pack_activation(level, b[head], packed, depth)
        start_sums(level, packed, depth, offsets, sums, bias)
        operands = (a[head], packed, depth, bias, sums, y[head])
        each_panel(level, y.shape[1], y.shape[2], len(bias), product_panel, operands, 0, 1)


@device
def start_sums(level: Level, packed: Array, depth: Scalar, offsets: Array, sums: Array, bias: Array) -> None:
    """Fill `bias` with what undoes the offset of the left codes: `-offset` times the column sums of the packed matrix."""
    bias[:] = 0
    column = 0 if np.any(offsets) else len(bias)
    while column < len(bias):
        width = panel_width(level, len(bias) - column)
        dot_tile(level, offsets, 0, 1, column, width, packed, depth, bias, sums, 0, 0)
        for c in range(width):
            bias[column + c] = -sums[0, c]
        column += width


@device
def product_panel(
    level: Level, first: Scalar, last: Scalar, column: Scalar, width: Scalar, valid: Scalar, _tile: Scalar, operands: Any
) -> None:
    """Compute rows of one panel of a head's s32 product, directly if the panel is whole."""
    a, packed, depth, bias, sums, y = operands
    for row in range(first, last, tile_rows(level)):
        height = min(tile_rows(level), last - row)
        if valid == width:
            dot_tile(level, a, row, height, column, width, packed, depth, bias, y, row, column)
        else:
            dot_tile(level, a, row, height, column, width, packed, depth, bias, sums, 0, 0)
            for r in range(height):
                copy_row(sums[r], y[row + r, column : column + valid])
