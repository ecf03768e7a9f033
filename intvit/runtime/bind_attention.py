"""How attention is bound to its kernels: keys and values are packed once, then rows of each head are computed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intvit import ops
from intvit.kernels.aligned import aligned_copy
from intvit.kernels.attention import attention, pack_heads
from intvit.kernels.jit import Step
from intvit.kernels.softmax_rows import exponential_thresholds
from intvit.kernels.tile import left_type, offset, operand_type, padded_columns, padded_depth, tile_shape
from intvit.kernels.vector import LANES_16
from intvit.runtime.bind_softmax import RoundedExponential, rounded_exponential
from intvit.runtime.prepared import Context, Prepared, as_bits, as_heads, has_heads, output_range

Array = NDArray[Any]


def accepts_heads(index: int, array: Array) -> bool:
    """Whether the kernels take an operand as it lies: leading axes that can be merged and, on the left, contiguous rows."""
    return has_heads(array) and (index > 0 or array.strides[-1] == array.itemsize)


def _exponential(op: RoundedExponential | ops.SoftmaxTable, at: Context) -> tuple[Array, int, int, Array]:
    """Return what `rounded_exponential` does; a table of codes needs no rounding."""
    if isinstance(op, ops.SoftmaxTable):
        return at.constant(2), 0, 0, aligned_copy(exponential_thresholds((0,)))
    return rounded_exponential(op, at)


def prepare_attention(operators: Sequence[Any], contexts: Sequence[Context]) -> Prepared:
    """Bind `q k^T`, the softmax's exponential, its product with the values, and the division by the row's sum."""
    (_, softmax, _, divide), (at, softmax_at, mix_at, divide_at) = operators, contexts
    queries, keys, values, e = (x.dtype for x in (*at.inputs[:2], mix_at.inputs[1], mix_at.inputs[0]))
    level, mix_level = at.level.multiplying(queries.bits, keys.bits), at.level.multiplying(e.bits, values.bits)
    *_, tokens, size = mix_at.inputs[1].shape
    depth, value_depth = padded_depth(level, at.inputs[0].shape[-1]), padded_depth(mix_level, tokens)
    columns, value_columns = padded_columns(level, tokens), padded_columns(mix_level, size)
    multiplier, numerator = softmax_at.heads(1), divide_at.heads(2)
    exponential, *bits, thresholds = _exponential(softmax, softmax_at)
    added, e_added = offset(level, queries.signed, queries.bits), offset(mix_level, e.signed, e.bits)
    offsets = aligned_copy(np.full((1, depth), added, operand_type(level)))
    value_offsets = aligned_copy(np.full((1, value_depth), e_added, operand_type(mix_level)))

    def bind(inputs: Sequence[Array], outputs: Sequence[Array], scratch: Sequence[Array]) -> tuple[Step, ...]:
        (q, keys, values), y = (as_heads(x) for x in inputs), as_bits(as_heads(outputs[0]))
        sums, left, scores, e, row_sum, mixed, *packed = scratch
        return (
            pack_heads.bind(
                level, mix_level, keys, values, depth, value_depth, offsets, value_offsets, sums, *packed, grains=len(keys)
            ),
            attention.bind(
                level, mix_level, q, added, *packed, depth, value_depth, tokens, multiplier, softmax.shift, exponential,
                *bits, thresholds, numerator, divide.shift, *output_range(divide),
                left, scores, e, row_sum, mixed, y,
                grains=len(q) * -(-q.shape[1] // rows),
            ),
        )  # fmt: skip

    (rows, width), (_, mix_width), heads = tile_shape(level), tile_shape(mix_level), len(multiplier)
    whole = -(-max(columns, value_depth) // LANES_16) * LANES_16
    scratch = (
        ((rows, max(width, mix_width)), np.int32),
        ((rows, depth), operand_type(level)),
        ((rows, whole), np.int32),
        ((rows, whole), left_type(mix_level, signed=False)),
        ((rows,), np.int32),
        ((rows, value_columns), np.int32),
    )
    shared = (
        ((heads, depth * columns), level.traits.right),
        ((heads, columns), np.int32),
        ((heads, value_depth * value_columns), mix_level.traits.right),
        ((heads, value_columns), np.int32),
    )
    constants = multiplier, numerator, exponential, thresholds, offsets, value_offsets
    return Prepared((0, 1, 2), bind, scratch, accepts=accepts_heads, constants=constants, shared=shared, by_rows=True)
