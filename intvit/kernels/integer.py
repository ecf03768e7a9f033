"""Scalar integer arithmetic that kernels share; inlined into their loops."""

from __future__ import annotations

import numpy as np

from intvit.kernels.jit import device


@device
def rescale(x: int, multiplier: int, shift: int) -> int:
    """Return `(x * multiplier + 2**(shift - 1)) >> shift` in int64."""
    return (np.int64(x) * np.int64(multiplier) + (np.int64(1) << np.int64(shift - 1))) >> np.int64(shift)


@device
def clip(x: int, low: int, high: int) -> int:
    """Return int64 `x` limited to `[low, high]`."""
    return min(max(np.int64(x), np.int64(low)), np.int64(high))


@device
def bit_length(x: int) -> int:
    """Return the number of bits of int64 `x` in `[0, 2**62)`."""
    length = np.int64(0)
    for step in (32, 16, 8, 4, 2, 1):
        if x >> np.int64(step):
            length += np.int64(step)
            x >>= np.int64(step)
    return length + np.int64(x)


@device
def isqrt_lifted(x: int) -> int:
    """Return `floor(sqrt(x))` for int64 `x` in `[2**60, 2**62)`.

    Newton from 2**31, at most twice the root: five steps leave the root or one more.
    """
    root = np.int64(1) << np.int64(31)
    for _ in range(5):
        root = (root + x // root) >> np.int64(1)
    return root - np.int64(root * root > x)
