"""Arrays that kernels like: they start at a cache line and may be read a little beyond their end."""

from __future__ import annotations

import mmap
import sys
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

ALIGNMENT = 64
MARGIN = 64
"""Bytes behind every array that a kernel may read (and must not use)."""
LARGE_PAGE = 2 << 20
SLAB = 32 << 20
"""Bytes that a pool asks for at a time; what is never touched takes no memory."""


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


class Pool:
    """Memory for arrays that live as long as each other, in large pages where the system has them.

    Weights pass through the caches once an image: in pages of 4 KiB, each page of them costs a walk through the page tables.
    """

    def __init__(self) -> None:
        self._free = np.empty(0, np.uint8)

    def empty(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        """Return an array as `aligned_empty` does; its memory goes back when all arrays of its slab are gone."""
        size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
        room = -(-(size + MARGIN) // ALIGNMENT) * ALIGNMENT
        if room > len(self._free):
            self._free = _slab(max(room, SLAB))
        taken, self._free = self._free[:room], self._free[room:]
        return taken[:size].view(dtype).reshape(shape)


def _slab(size: int) -> Array:
    """Return uninitialised bytes that start at a large page."""
    if sys.platform == "linux":
        pages = mmap.mmap(-1, size + LARGE_PAGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        with suppress(OSError):  # a system without large pages
            pages.madvise(mmap.MADV_HUGEPAGE)
        raw = np.frombuffer(pages, np.uint8)
    else:
        raw = np.empty(size + LARGE_PAGE, np.uint8)
    start = -raw.ctypes.data % LARGE_PAGE
    return raw[start : start + size]
