"""Integer arithmetic that kernels share; inlined into their loops.

Numba widens `int32 op int32` to int64; LLVM narrows it again where each result is cast back and shift amounts are masked to
the width, so that loops keep 16 values in a vector.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from intvit.kernels.jit import Scalar, device

Array = NDArray[Any]


@device
def rescale(x: Scalar, multiplier: Scalar, shift: Scalar) -> Scalar:
    """Return `(x * multiplier + 2**(shift - 1)) >> shift` in int64."""
    return (np.int64(x) * np.int64(multiplier) + (np.int64(1) << np.int64(shift - 1))) >> np.int64(shift)


@device
def clip(x: Scalar, low: Scalar, high: Scalar) -> Scalar:
    """Return int64 `x` limited to `[low, high]`."""
    return min(max(np.int64(x), np.int64(low)), np.int64(high))


@device
def shift_left(x: Scalar, by: Scalar) -> Scalar:
    """Return int32 `x << by` for `0 <= by <= 31`."""
    return np.int32(np.int32(x) << (np.int32(by) & np.int32(31)))


@device
def shift_right(x: Scalar, by: Scalar) -> Scalar:
    """Return int32 `x >> by` for `0 <= by <= 31`."""
    return np.int32(np.int32(x) >> (np.int32(by) & np.int32(31)))


@device
def finish(x: Array, multiplier: Array, shift: Scalar, zero_point: Scalar, low: Scalar, high: Scalar, y: Array) -> None:
    """Compute `y = clip(rescale(x, multiplier, shift) + zero_point)` for a row of s32 and one multiplier a column."""
    if fits_high_half(shift, zero_point, low, high):
        half = np.int64(1) << np.int64(shift - 1)
        for c in range(len(y)):
            total = np.int64(x[c]) * np.int64(multiplier[c]) + half
            y[c] = finish_high_half(total, shift, zero_point, low, high)
    else:
        for c in range(len(y)):
            y[c] = clip(rescale(x[c], multiplier[c], shift) + np.int64(zero_point), low, high)


@device
def fits_high_half(shift: Scalar, zero_point: Scalar, low: Scalar, high: Scalar) -> Scalar:
    """Whether all that follows the multiplication fits 32 bits, so that only the product's high half matters."""
    bound = np.int64(1) << np.int64(30)
    return shift > 32 and -bound <= zero_point <= bound and -2 * bound <= low and high < 2 * bound


@device
def finish_high_half(total: Scalar, shift: Scalar, zero_point: Scalar, low: Scalar, high: Scalar) -> Scalar:
    """Return `clip((total >> shift) + zero_point)` as int32, for int64 `total` and where `fits_high_half` holds."""
    scaled = shift_right(np.int32(total >> np.int64(32)), np.int32(shift - 32))
    return min(max(np.int32(scaled + np.int32(zero_point)), np.int32(low)), np.int32(high))


@device
def bit_length(x: Scalar) -> Scalar:
    """Return the number of bits of int64 `x` in `[0, 2**62)`."""
    length = np.int64(0)
    for step in (32, 16, 8, 4, 2, 1):
        if x >> np.int64(step):
            length += np.int64(step)
            x >>= np.int64(step)
    return length + np.int64(x)


@device
def isqrt_lifted(x: Scalar) -> Scalar:
    """Return `floor(sqrt(x))` for int64 `x` in `[2**60, 2**62)`.

    Newton from 2**31, at most twice the root: five steps leave the root or one more.
    """
    root = np.int64(1) << np.int64(31)
    for _ in range(5):
        root = (root + x // root) >> np.int64(1)
    return root - np.int64(root * root > x)


@device
def share(total: Scalar, part: Scalar, parts: Scalar) -> Scalar:
    """Return the first and the end of share `part` of `parts` of `total` things."""
    return total * part // parts, total * (part + 1) // parts
