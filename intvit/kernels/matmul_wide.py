"""MatMul with 16-bit left operands, where the level multiplies bytes: lower and upper bytes go through the same tiles."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from intvit.kernels.integer import share
from intvit.kernels.jit import Scalar, device, kernel
from intvit.kernels.matmul import start_sums
from intvit.kernels.pack import pack_activation
from intvit.kernels.simd import Level
from intvit.kernels.split import split_row
from intvit.kernels.tile import dot_tile, panel_width, tile_rows
from intvit.kernels.vector import LANES_32, load, store

Array = NDArray[Any]


@kernel(scratch=("packed", "bias", "bytes_of_rows", "sums"), strided=("a", "b"))
def matmul_wide(
    level: Level, a: Array, b: Array, packed: Array, depth: int, lower: Array, upper: Array,
    bias: Array, bytes_of_rows: Array, sums: Array, y: Array, part: int, parts: int,
) -> None:  # fmt: skip
    """Compute `y = a @ b` for every head.

    Args:
        level: decides the packing, and the instructions; one that multiplies bytes.
        a: s16 [H, M, K], unit stride in K.
        b: s8 [H, K, N], any strides.
        packed: scratch for one head of b, of padded depth `depth`.
        lower, upper: of `operand_type(level)` [1, depth], all that is added to the lower and to the upper bytes of `a` to make
            them the level's own left operands.
        bias: s32 [2, N padded to whole panels], scratch.
        bytes_of_rows: of `operand_type(level)` [rows of a tile, 2, depth], scratch.
        sums: s32 [2, rows of a tile, columns of a tile], scratch.
        y: s32 [H, M, N].
    """
    heads, rows, _ = y.shape
    height = tile_rows(level)
    start, stop = share(heads, part, parts)
    for head in range(start, stop):
        pack_activation(level, b[head], packed, depth)
        start_sums(level, packed, depth, lower, sums[0], bias[0])
        start_sums(level, packed, depth, upper, sums[1], bias[1])
        for row in range(0, rows, height):
            count = min(height, rows - row)
            for r in range(count):
                split_row(a[head, row + r], lower[0, 0], upper[0, 0], bytes_of_rows[r])
            multiply_bytes(level, bytes_of_rows, count, packed, depth, bias, sums, y[head, row:])


@device
def multiply_bytes(
    level: Level, bytes_of_rows: Array, count: Scalar, packed: Array, depth: Scalar, bias: Array, sums: Array, y: Array
) -> None:
    """Multiply the rows of one tile by all panels; sums of upper bytes may wrap, the total does not."""
    padded, columns = bias.shape[1], y.shape[1]
    column = 0
    while column < padded:
        width = panel_width(level, padded - column)
        for i in range(2):
            dot_tile(level, bytes_of_rows[:, i], 0, count, column, width, packed, depth, bias[i], sums[i], 0, 0)
        for r in range(count):
            total = y[r, column : min(column + width, columns)]
            for c in range(0, len(total), LANES_32):
                store(total, c, load(sums[0, r], c, LANES_32, 0) + (load(sums[1, r], c, LANES_32, 0) << 8))
        column += width
