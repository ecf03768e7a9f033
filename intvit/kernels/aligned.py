"""Arrays that kernels like: they start at a cache line and may be read a little beyond their end."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

ALIGNMENT = 64
MARGIN = 64
"""Bytes behind every array that a kernel may read (and must not use)."""


def aligned_empty(shape: tuple[int, ...], dtype: np.dtype[Any] | type[np.generic]) -> Array:
    """Return an uninitialised C-contiguous array at a multiple of 64 bytes with a readable margin behind it."""
    dtype = np.dtype(dtype)
    size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    raw = np.empty(size + ALIGNMENT + MARGIN, np.uint8)
    start = -raw.ctypes.data % ALIGNMENT
    return raw[start : start + size].view(dtype).reshape(shape)


def aligned_copy(array: Array) -> Array:
    """Return a copy of `array` as `aligned_empty` makes it, in native byte order."""
    copy = aligned_empty(array.shape, array.dtype.newbyteorder("="))
    copy[...] = array
    return copy
