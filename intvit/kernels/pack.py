"""Packing a right-hand side that is itself an activation, as a strided view, while the model runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic, overload
from numpy.typing import NDArray

from intvit.kernels.integer import shift_left
from intvit.kernels.jit import Scalar, device
from intvit.kernels.simd import Level
from intvit.kernels.tile import panel_width
from intvit.kernels.vector_tile import LANES

Array = NDArray[Any]


def _emit_load(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
    word = builder.load(builder.inttoptr(arguments[0], ir.IntType(32).as_pointer()))
    word.align = 1
    return word


load_word: Any = intrinsic(lambda typing, address: (types.int32(types.int64), _emit_load))
"""Read four bytes at an int64 address as int32."""


def pack_activation(*arguments: Any) -> None:
    """Pack s8 `b` [K, N], any strides, into flat `packed` panels of padded depth `depth`, as `tile.pack` does."""
    raise NotImplementedError("only kernels call this")


@overload(pack_activation)
def _pack_activation(level: Any, b: Any, packed: Any, depth: Any) -> Callable[..., None]:
    return _pack_quads if packed.dtype.bitwidth == 8 else _pack_pairs


def _pack_quads(level: Any, b: Any, packed: Any, depth: Any) -> None:
    words = packed.view(np.int32)
    if b.strides[0] == 1:
        pack_columns(level, b, words, depth >> 2)
    else:
        pack_rows(level, b, words, depth >> 2)


@device
def pack_columns(level: Level, b: Array, words: Array, quads: Scalar) -> None:
    """Pack a matrix whose columns are contiguous, such as transposed keys."""
    depth, columns = b.shape
    padded = len(words) // quads
    column = 0
    while column < padded:
        width = panel_width(level, padded - column)
        panel = words[column * quads : (column + width) * quads]
        valid = min(width, columns - column)
        start = b.ctypes.data + column * b.strides[1]
        for q in range(depth >> 2):
            line = panel[q * width : (q + 1) * width]
            for c in range(valid):
                line[c] = load_word(np.int64(start + c * b.strides[1] + 4 * q))
            line[valid:] = 0
        if depth & 3:
            pack_quad(b, depth & ~3, column, valid, panel[(quads - 1) * width :])
        column += width


@device
def pack_rows(level: Level, b: Array, words: Array, quads: Scalar) -> None:
    """Pack a matrix of any strides; quick if its rows are contiguous, such as values."""
    columns = b.shape[1]
    padded = len(words) // quads
    column = 0
    while column < padded:
        width = panel_width(level, padded - column)
        for q in range(quads):
            start = column * quads + q * width
            pack_quad(b, 4 * q, column, min(width, columns - column), words[start : start + width])
        column += width


@device
def pack_quad(b: Array, k: Scalar, column: Scalar, valid: Scalar, line: Array) -> None:
    """Pack rows k to k + 3 of one panel; rows beyond the last count as zero."""
    last, end = len(b) - 1, column + valid
    b0, b1 = b[k, column:end], b[min(k + 1, last), column:end]
    b2, b3 = b[min(k + 2, last), column:end], b[min(k + 3, last), column:end]
    m1, m2, m3 = np.int32(255 * (k + 1 <= last)), np.int32(255 * (k + 2 <= last)), np.int32(255 * (k + 3 <= last))
    for c in range(valid):
        low = (np.int32(b0[c]) & np.int32(255)) | shift_left(np.int32(b1[c]) & m1, 8)
        high = shift_left(np.int32(b2[c]) & m2, 16) | shift_left(np.int32(b3[c]) & m3, 24)
        line[c] = np.int32(low | high)
    line[valid:] = 0


def _pack_pairs(level: Any, b: Any, packed: Any, depth: Any) -> None:
    rows, columns = b.shape
    packed[:] = 0
    for column in range(0, columns, LANES):
        valid = min(LANES, columns - column)
        for k in range(rows):
            start = column * depth + (k >> 2) * 4 * LANES + (k & 1) * 2 * LANES + ((k >> 1) & 1)
            line, row = packed[start : start + 2 * LANES], b[k, column : column + valid]
            for c in range(valid):
                line[2 * c] = row[c]
