"""Widening left operands to 16 bits, for the SIMD levels whose dot product takes pairs of those."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from intvit.kernels.integer import share
from intvit.kernels.jit import device, kernel

Array = NDArray[Any]


@kernel(strided=("x",))
def widen(x: Array, y: Array, part: int, parts: int) -> None:
    """Copy u8/s8 `x` [H, M, K], any strides, to s16 `y`."""
    heads, rows, _ = y.shape
    start, stop = share(heads * rows, part, parts)
    for i in range(start, stop):
        widen_row(x[i // rows, i % rows], y[i // rows, i % rows])


@device
def widen_row(x: Array, y: Array) -> None:
    """Copy one row."""
    for k in range(len(y)):
        y[k] = x[k]
