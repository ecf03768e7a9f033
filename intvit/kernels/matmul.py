"""MatMul: the right-hand side is packed a head at a time, then multiplied tile by tile."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from intvit.kernels.jit import Scalar, device, kernel
from intvit.kernels.pack import pack_activation
from intvit.kernels.tile import copy_row, dot_tile, panel_width
from intvit.kernels.vector_tile import ROWS

Array = NDArray[Any]


@kernel(strided=("a", "b"))
def matmul(a: Array, flip: int, b: Array, packed: Array, depth: int, bias: Array, offset: Array, sums: Array, y: Array) -> None:
    """Compute `y = a @ b` for every head.

    Args:
        a: u8 [H, M, K], unit stride in K, readable 3 bytes beyond its end; `flip` makes s8 codes u8, 128 larger.
        b: s8 [H, K, N], any strides.
        packed: scratch for one head of b, of padded depth `depth`.
        bias: s32 scratch, N padded to whole panels.
        offset: u8 [1, depth], all 128.
        sums: s32 [6, 64], scratch.
        y: s32 [H, M, N].
    """
    for head in range(len(y)):
        pack_activation(b[head], packed, depth)
        start_sums(flip, packed, depth, offset, sums, bias)
        multiply(a[head], flip, packed, depth, bias, sums, y[head])


@device
def start_sums(flip: Scalar, packed: Array, depth: Scalar, offset: Array, sums: Array, bias: Array) -> None:
    """Fill `bias` with what undoes `flip`: -128 times the column sums of the packed matrix, or zeros."""
    bias[:] = 0
    column = 0 if flip else len(bias)
    while column < len(bias):
        width = panel_width(packed, len(bias) - column)
        dot_tile(offset, 0, 0, 1, column, width, packed, depth, bias, sums, 0, 0)
        for c in range(width):
            bias[column + c] = -sums[0, c]
        column += width


@device
def multiply(a: Array, flip: Scalar, packed: Array, depth: Scalar, bias: Array, sums: Array, y: Array) -> None:
    """Multiply one head into s32 `y` [M, N]; whole panels go there directly."""
    rows, columns = y.shape
    column = 0
    while column < columns:
        width = panel_width(packed, len(bias) - column)
        valid = min(width, columns - column)
        for row in range(0, rows, ROWS):
            height = min(ROWS, rows - row)
            if valid == width:
                dot_tile(a, flip, row, height, column, width, packed, depth, bias, y, row, column)
            else:
                dot_tile(a, flip, row, height, column, width, packed, depth, bias, sums, 0, 0)
                for r in range(height):
                    copy_row(sums[r], y[row + r, column:columns])
        column += width
