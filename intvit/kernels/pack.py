"""Packing right-hand sides: weights when a model is loaded, activations (keys, values) while it runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numba import types
from numba.extending import intrinsic, overload
from numpy.typing import NDArray

from intvit.kernels.integer import shift_left
from intvit.kernels.jit import Scalar, device
from intvit.kernels.simd import Level
from intvit.kernels.tile import padded_columns, padded_depth, panel_width
from intvit.kernels.vector_ir import load

Array = NDArray[Any]


def pack(matrix: Array, level: Level, out: Array) -> None:
    """Pack s8 `matrix` [K, N] into flat s8 `out`, as many elements as its padded depth times its padded columns."""
    depth, columns = padded_depth(level, matrix.shape[0]), padded_columns(level, matrix.shape[1])
    whole = np.pad(matrix, ((0, depth - matrix.shape[0]), (0, columns - matrix.shape[1])))
    for part, panel in _panels(out, level, depth, columns):
        for i in range(panel.shape[-1]):
            panel[:, :, i] = whole[i :: panel.shape[-1], part]


def unpack(packed: Array, level: Level, shape: tuple[int, int]) -> Array:
    """Return the s8 matrix [K, N] of that shape that `pack` made flat s8 `packed` of."""
    depth, columns = padded_depth(level, shape[0]), padded_columns(level, shape[1])
    whole = np.empty((depth, columns), np.int8)
    for part, panel in _panels(packed, level, depth, columns):
        for i in range(panel.shape[-1]):
            whole[i :: panel.shape[-1], part] = panel[:, :, i]
    return np.ascontiguousarray(whole[: shape[0], : shape[1]])


def _panels(packed: Array, level: Level, depth: int, columns: int) -> Iterator[tuple[slice, Array]]:
    """Return which columns each panel holds, and a view [groups of rows, its columns, rows of a group] of it."""
    group = level.traits.group
    column = 0
    while column < columns:
        width = panel_width(level, columns - column)
        panel = packed[column * depth : (column + width) * depth]
        yield slice(column, column + width), panel.reshape(depth // group, width, group)
        column += width


def pack_activation(*arguments: Any) -> None:
    """Pack s8 `b` [K, N], any strides, as `pack` does.

    Arguments:
        level, b.
        packed: flat s8, the padded depth times the padded columns; depth: padded.
    """
    raise NotImplementedError("only kernels call this")


@overload(pack_activation)
def _pack_activation(level: Any, b: Any, packed: Any, depth: Any) -> Callable[..., None]:
    group = level.level.traits.group
    word = np.dtype(f"i{group}").type

    def pack_panels(level: Any, b: Any, packed: Any, depth: Any) -> None:
        words = packed.view(word)
        groups, padded = depth // group, len(packed) // depth
        column = 0
        while column < padded:
            width = panel_width(level, padded - column)
            valid = min(width, b.shape[1] - column)
            for g in range(groups):
                line = words[column * groups + g * width :][:width]
                if b.strides[0] == 1 and (g + 1) * group <= len(b):
                    copy_words(b, g * group, column, valid, line)
                else:
                    interleave_rows(b, g * group, column, valid, group, line)
            column += width

    return pack_panels


@device
def copy_words(b: Array, k: Scalar, column: Scalar, valid: Scalar, line: Array) -> None:
    """Pack one group of rows, one word from each column; the columns are contiguous, as those of transposed keys are."""
    start = b.ctypes.data + column * b.strides[1] + k
    for c in range(valid):
        line[c] = load_word(np.int64(start + c * b.strides[1]), line)
    line[valid:] = 0


@device
def interleave_rows(b: Array, k: Scalar, column: Scalar, valid: Scalar, group: Scalar, line: Array) -> None:
    """Pack one group of rows of any strides; quick if they are contiguous, as those of values are."""
    line[:] = 0
    for i in range(min(group, len(b) - k)):
        row = b[k + i, column : column + valid]
        for c in range(valid):
            line[c] = np.int32(line[c]) | shift_left(np.int32(row[c]) & np.int32(255), 8 * i)


def _load_word(_typing: Any, _address: Any, like: Any) -> Any:
    def emit(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return load(builder, arguments[0], context.get_value_type(like.dtype))

    return like.dtype(types.int64, like), emit


load_word: Any = intrinsic(_load_word)
"""Read an element of the type of the array `like` at an int64 address that need not be aligned."""
