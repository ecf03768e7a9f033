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
from intvit.kernels.vector import LANES_32, cast, load, store
from intvit.kernels.vector_ir import load as load_unaligned

Array = NDArray[Any]


def pack(matrix: Array, level: Level, out: Array) -> None:
    """Pack `matrix` [K, N], s8 or s16, into flat `out`, as many elements as its padded depth times its padded columns."""
    depth, columns = padded_depth(level, matrix.shape[0]), padded_columns(level, matrix.shape[1])
    whole = np.pad(matrix, ((0, depth - matrix.shape[0]), (0, columns - matrix.shape[1])))
    for part, panel in _panels(out, level, depth, columns):
        for i in range(panel.shape[-1]):
            panel[:, :, i] = whole[i :: panel.shape[-1], part]


def unpack(packed: Array, level: Level, shape: tuple[int, int], dtype: np.dtype[Any]) -> Array:
    """Return the matrix [K, N] of that shape and type that `pack` made flat `packed` of."""
    depth, columns = padded_depth(level, shape[0]), padded_columns(level, shape[1])
    whole = np.empty((depth, columns), dtype)
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
    """Pack `b` [K, N], s8 or s16, any strides, as `pack` does.

    Arguments:
        level, b.
        packed: flat, of `Traits.right`, the padded depth times the padded columns; depth: padded.
    """
    raise NotImplementedError("only kernels call this")


@overload(pack_activation)
def _pack_activation(level: Any, b: Any, packed: Any, depth: Any) -> Callable[..., None]:
    group, right = level.level.traits.group, level.level.traits.right
    word, bits, itemsize = np.dtype(f"i{group * right.itemsize}").type, 8 * right.itemsize, b.dtype.bitwidth // 8
    as_it_lies = itemsize == right.itemsize

    def pack_panels(level: Any, b: Any, packed: Any, depth: Any) -> None:
        words = packed.view(word)
        groups, padded = depth // group, len(packed) // depth
        by_columns, by_rows = as_it_lies and b.strides[0] == itemsize, b.strides[1] == itemsize
        whole = len(b) // group if by_columns or by_rows else 0
        column = 0
        while column < padded:
            width = panel_width(level, padded - column)
            columns, panel = b[:, column : column + width], words[column * groups : (column + width) * groups]
            if by_columns:
                copy_words(columns, whole, width, panel)
            else:
                interleave_rows(columns, whole, group, bits, width, panel)
            interleave_codes(columns, whole, group, bits, width, panel)
            column += width

    return pack_panels


@device
def copy_words(b: Array, groups: Scalar, width: Scalar, panel: Array) -> None:
    """Pack the first groups of rows, one word from each column; the columns are contiguous, as those of transposed keys are."""
    for g in range(groups):
        line, start = panel[g * width : (g + 1) * width], b.ctypes.data + g * panel.itemsize
        for c in range(b.shape[1]):
            line[c] = load_word(np.int64(start + c * b.strides[1]), line)
        line[b.shape[1] :] = 0


@device
def interleave_rows(b: Array, groups: Scalar, group: Scalar, bits: Scalar, width: Scalar, panel: Array) -> None:
    """Pack the first groups of rows, which are contiguous, as those of values are.

    A panel narrower than a vector gets its groups in order, as each is written over the end of the one before.
    """
    for c in range(0, width, LANES_32):
        for g in range(groups):
            k = np.uint64(g * group)
            words = row_codes(b[k], c, bits)
            for i in range(1, group):
                words = words | (row_codes(b[k + np.uint64(i)], c, bits) << (bits * i))
            store(panel, g * width + c, words)


@device
def row_codes(row: Array, c: Scalar, bits: Scalar) -> Scalar:
    """Return the lowest bits of a row's codes from column c on as u32 lanes; zeros where there are none."""
    return cast(cast(load(row, c, LANES_32, 0), np.int32), np.uint32) & ((1 << bits) - 1)


@device
def interleave_codes(b: Array, groups: Scalar, group: Scalar, bits: Scalar, width: Scalar, panel: Array) -> None:
    """Pack all rows but the first groups, of any strides, code by code."""
    panel[groups * width :] = 0
    mask = np.int32((1 << bits) - 1)
    for k in range(groups * group, len(b)):
        line, up = panel[k // group * width :], bits * (k % group)
        for c in range(b.shape[1]):
            line[c] = np.int32(line[c]) | shift_left(np.int32(b[k, c]) & mask, up)


def _load_word(_typing: Any, _address: Any, like: Any) -> Any:
    def emit(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return load_unaligned(builder, arguments[0], context.get_value_type(like.dtype))

    return like.dtype(types.int64, like), emit


load_word: Any = intrinsic(_load_word)
"""Read an element of the type of the array `like` at an int64 address that need not be aligned."""
