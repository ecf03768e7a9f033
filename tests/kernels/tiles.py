"""Products computed tile by tile, outside the engine."""

import numpy as np
from llvmlite import ir

from intvit.kernels.aligned import aligned_copy, aligned_empty
from intvit.kernels.jit import device
from intvit.kernels.pack import pack
from intvit.kernels.tile import (
    code_tile,
    dot_tile,
    left_type,
    offset,
    padded_columns,
    padded_depth,
    panel_width,
    tile_rows,
)


@device
def sums_tile(level, x, row, rows, column, width, packed, depth, bias, out):
    dot_tile(level, x, row, rows, column, width, packed, depth, bias, out, row, column)


@device
def codes_tile(level, x, row, rows, column, width, packed, depth, bias, out, multiplier, shift, zero_point, low, high):
    y = out[:, column:]
    numbers = (shift, zero_point, low, high)
    code_tile(level, x, row, rows, column, width, packed, depth, bias, x[:0], 0, out, row, multiplier, *numbers, y, row)


def product(level, x, weight, bias):
    """Return `x @ weight + bias` as s32."""
    return _compute(level, x, weight, bias, sums_tile, (), np.int32)


def codes(level, x, weight, bias, multiplier, numbers, dtype):
    """Return the codes of `x @ weight + bias`, whose `numbers` are shift, zero point, low and high."""
    factors = padded(multiplier, padded_columns(level, len(multiplier)))
    return _compute(level, x, weight, bias, codes_tile, (factors, *numbers), dtype)


def _compute(level, x, weight, bias, tile, more, dtype):
    (rows, k), n = x.shape, weight.shape[1]
    level = level.multiplying(8 * x.itemsize, 8 * weight.itemsize)
    depth, columns = padded_depth(level, k), padded_columns(level, n)
    left, packed = left_operand(level, x), aligned_empty((depth * columns,), level.traits.right)
    pack(weight, level, packed)
    added = offset(level, x.dtype.kind == "i", 8 * x.itemsize)
    start = padded(bias - added * weight.sum(0, dtype=np.int64), columns)
    out = aligned_copy(np.full((rows + 1, columns + 5), 77).astype(dtype))
    column = 0
    while column < columns:
        width = panel_width(level, columns - column)
        for row in range(0, rows, tile_rows(level)):
            tile(level, left, row, min(tile_rows(level), rows - row), column, width, packed, depth, start, out, *more)
        column += width
    assert (out[rows] == 77).all() and (out[:, columns:] == 77).all(), "a tile wrote outside its place"
    return out[:rows, :n]


def left_operand(level, x):
    """Return codes of 8 or 16 bits as the level's tiles take them, with garbage behind every row."""
    (rows, k), bits, signed = x.shape, 8 * x.itemsize, x.dtype.kind == "i"
    left = np.full((rows, k + 3), 99).astype(left_type(level, signed) if bits == 8 else x.dtype)
    left[:, :k] = x
    return aligned_copy(left)


def padded(values, size):
    """Return values as s32, with zeros behind them."""
    return aligned_copy(np.pad(values, (0, size - len(values))).astype(np.int32))


def software_dot(builder, sums, codes, weights):
    """NEON's dot product of s8 and s8 in generic instructions."""
    for i in range(4):
        lanes = ir.Constant(ir.VectorType(ir.IntType(32), sums.type.count), list(range(i, weights.type.count, 4)))
        factors = [
            builder.sext(builder.shuffle_vector(v, ir.Constant(v.type, ir.Undefined), lanes), sums.type)
            for v in (builder.bitcast(codes, weights.type), weights)
        ]
        sums = builder.add(sums, builder.mul(*factors))
    return sums
