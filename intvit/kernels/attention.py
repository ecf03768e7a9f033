"""Attention of a few rows of one head at a time: scores, exponentials, their product with the values, the division.

Nothing between the operands and the result leaves the first cache.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import types
from numba.extending import overload
from numpy.typing import NDArray

from intvit.kernels.integer import share
from intvit.kernels.jit import Scalar, device, kernel
from intvit.kernels.matmul import start_sums
from intvit.kernels.pack import pack_activation
from intvit.kernels.simd import Level
from intvit.kernels.softmax_divide import divide_row, row_factor
from intvit.kernels.softmax_exp import LOWEST
from intvit.kernels.softmax_rows import exponential_rows
from intvit.kernels.softmax_table import table_row
from intvit.kernels.tile import dot_tile, panel_width, tile_rows
from intvit.kernels.vector import LANES_16, cast, load, store

Array = NDArray[Any]


@kernel(scratch=("sums",), strided=("keys", "values"))
def pack_heads(
    level: Level, mix_level: Level, keys: Array, values: Array, depth: int, value_depth: int,
    offsets: Array, value_offsets: Array, sums: Array,
    packed_keys: Array, key_bias: Array, packed_values: Array, value_bias: Array, part: int, parts: int,
) -> None:  # fmt: skip
    """Pack the keys and values of all heads.

    Args:
        level: decides the packing of the keys; mix_level: that of the values.
        keys: s8 or s16 [H, K, T], transposed; values: s8 or s16 [H, T, N]; any strides.
        depth, value_depth: K and T, padded.
        offsets: of `operand_type(level)` [1, depth], all `offset(level, signed, bits)` of the queries.
        value_offsets: the same [1, value_depth] of the exponentials.
        sums: s32 of the wider `tile_shape` of both, scratch.
        packed_keys: of `Traits.right` [H, depth * padded T]; key_bias: s32 [H, padded T].
        packed_values: the same [H, value_depth * padded N]; value_bias: s32 [H, padded N].
    """
    start, stop = share(len(keys), part, parts)
    for head in range(start, stop):
        pack_activation(level, keys[head], packed_keys[head], depth)
        start_sums(level, packed_keys[head], depth, offsets, sums, key_bias[head])
        key_bias[head, keys.shape[2] :] = LOWEST
        pack_activation(mix_level, values[head], packed_values[head], value_depth)
        start_sums(mix_level, packed_values[head], value_depth, value_offsets, sums, value_bias[head])


@kernel(scratch=("left", "scores", "e", "row_sum", "mixed"), strided=("q", "y"))
def attention(
    level: Level, mix_level: Level, q: Array, added: int,
    packed_keys: Array, key_bias: Array, packed_values: Array, value_bias: Array,
    depth: int, value_depth: int, tokens: int, multiplier: Array, shift: int, exponential: Array,
    value_bits: int, threshold_bits: int, thresholds: Array,
    numerator: Array, divide_shift: int, zero_point: int, low: int, high: int,
    left: Array, scores: Array, e: Array, row_sum: Array, mixed: Array, y: Array, part: int, parts: int,
) -> None:  # fmt: skip
    """Compute `y = softmax_divide(softmax_exp(q @ keys) @ values)` of every head.

    Args:
        level, mix_level: as in `pack_heads`, as are the four arrays behind q, and the depths.
        q: s8/u8/s16 [H, M, K], unit stride in K; added: `offset(level, signed, bits)` of its codes.
        tokens: T, how many keys there are.
        multiplier: s32 [H], non-negative; shift: of the rescale to distances.
        exponential: as `softmax_rows` or `softmax_table` takes it: an s16 table or u16/s32 steps, or a u8 table.
        value_bits, threshold_bits, thresholds: as in `softmax_rows`.
        numerator: s64 [H]; divide_shift, zero_point, low, high: as in `softmax_divide`.
        left: of `operand_type(level)` [rows of a tile, depth].
        scores: s32 [rows of a tile, T padded to whole panels and whole vectors of 16-bit lanes].
        e: of `left_type(mix_level, False)` [rows of a tile, T padded to whole vectors of 16-bit lanes].
        row_sum: s32 [rows of a tile].
        mixed: s32 [rows of a tile, N padded to whole panels].
        y: s8/s16/s32 [H, M, N], unit stride in N.
    """
    heads, rows, _ = q.shape
    rounding = value_bits, threshold_bits, thresholds
    height = tile_rows(level)
    tiles = -(-rows // height)
    start, stop = share(heads * tiles, part, parts)
    scores[:, tokens:] = LOWEST
    for i in range(start, stop):
        head, row = i // tiles, i % tiles * height
        count = min(height, rows - row)
        for r in range(count):
            copy_codes(q[head, row + r], added, left[r])
        multiply_tile(level, left, count, packed_keys[head], depth, key_bias[head], scores)
        row_exponentials(scores[:count], tokens, multiplier[head], shift, exponential, rounding, e, row_sum)
        multiply_tile(mix_level, e, count, packed_values[head], value_depth, value_bias[head], mixed)
        for r in range(count):
            factor = row_factor(numerator[head], row_sum[r])
            divide_row(mixed[r], factor, divide_shift, zero_point, low, high, y[head, row + r])


@device
def copy_codes(x: Array, added: Scalar, y: Array) -> None:
    """Write `x + added`."""
    for c in range(0, len(x), LANES_16):
        store(y, c, cast(load(x, c, LANES_16, 0), np.int16) + added)


@device
def multiply_tile(level: Level, x: Array, count: Scalar, packed: Array, depth: Scalar, bias: Array, out: Array) -> None:
    """Multiply the rows of one tile by all panels."""
    column = 0
    while column < len(bias):
        width = panel_width(level, len(bias) - column)
        dot_tile(level, x, 0, count, column, width, packed, depth, bias, out, 0, column)
        column += width


def row_exponentials(*arguments: Any) -> None:
    """Write the exponentials of rows of scores, which may be overwritten, and their sums.

    Arguments:
        scores: s32 [R, ..]; tokens: how many of them count, those beyond are `LOWEST`.
        multiplier: a number; shift; exponential; e; row_sum: as in `attention`.
        rounding: value bits, threshold bits and thresholds, as in `softmax_rows`.
    """
    raise NotImplementedError("only kernels call this")


@overload(row_exponentials)
def _row_exponentials(
    scores: Any, tokens: Any, multiplier: Any, shift: Any, exponential: Any, rounding: Any, e: Any, row_sum: Any,
) -> Callable[..., None]:  # fmt: skip
    def from_table(
        scores: Any, tokens: Any, multiplier: Any, shift: Any, exponential: Any, rounding: Any, e: Any, row_sum: Any,
    ) -> None:  # fmt: skip
        for r in range(len(scores)):
            row = scores[r, :tokens]
            row_sum[r] = table_row(row, multiplier, shift, exponential, row, e[r])

    def rounded(
        scores: Any, tokens: Any, multiplier: Any, shift: Any, exponential: Any, rounding: Any, e: Any, row_sum: Any,
    ) -> None:  # fmt: skip
        exponential_rows(scores, tokens, multiplier, shift, exponential, rounding, e, row_sum)

    return from_table if exponential.dtype == types.uint8 else rounded
