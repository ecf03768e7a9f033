"""Memory: where every buffer lies in the one block that a run uses, and aligned arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

ALIGNMENT = 64
MARGIN = 64
"""Bytes behind every array that a kernel may read (and must not use)."""


@dataclass(slots=True)
class Buffer:
    """A piece of memory that is needed from step `first` to step `last`, both included."""

    size: int
    first: int
    last: int

    def lives_with(self, other: Buffer) -> bool:
        """Whether there is a step at which both are needed."""
        return self.first <= other.last and other.first <= self.last


def place(buffers: Sequence[Buffer]) -> tuple[list[int], int]:
    """Choose an offset for every buffer so that those needed at the same step don't overlap.

    The largest buffer comes first; each goes into the lowest gap that is wide enough.

    Returns:
        The offsets, multiples of 64 that leave a margin behind every buffer, and the total size.
    """
    offsets = [0] * len(buffers)
    placed: list[int] = []
    for i in sorted(range(len(buffers)), key=lambda i: (-buffers[i].size, i)):
        taken = sorted((offsets[j], _room(buffers[j])) for j in placed if buffers[j].lives_with(buffers[i]))
        offset = 0
        for start, room in taken:
            if offset + _room(buffers[i]) <= start:
                break
            offset = max(offset, start + room)
        offsets[i] = offset
        placed.append(i)
    return offsets, max((offsets[i] + _room(buffers[i]) for i in placed), default=0)


def _room(buffer: Buffer) -> int:
    return -(-(buffer.size + MARGIN) // ALIGNMENT) * ALIGNMENT


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
