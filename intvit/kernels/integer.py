"""Integer arithmetic that kernels share; inlined into their loops.

Numba widens `int32 op int32` to int64; LLVM narrows it again where each result is cast back and shift amounts are masked to
the width.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from intvit.kernels.jit import Scalar, device
from intvit.kernels.lanes import even, join, join_high, odd
from intvit.kernels.vector import LANES_32, larger, load, smaller, store

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
def fits_high_half(shift: Scalar, zero_point: Scalar, low: Scalar, high: Scalar) -> Scalar:
    """Whether a 63-bit total plus `zero_point << shift` fits 64 bits, and all that follows the shift fits its high half."""
    bound, limit = np.int64(1) << np.int64(62 - shift), np.int64(1) << np.int64(31)
    return shift > 32 and -bound <= zero_point <= bound and -limit <= low and high < limit


@device
def finish_lanes(even: Scalar, odd: Scalar, shift: Scalar, zero_point: Scalar, low: Scalar, high: Scalar) -> Scalar:
    """Return `clip(((total + 2**(shift - 1)) >> shift) + zero_point)` as s32 lanes, for s64 totals of the even and odd ones."""
    return smaller(larger(round_lanes(even, odd, shift, zero_point, low, high), low), high)


@device
def round_lanes(even: Scalar, odd: Scalar, shift: Scalar, zero_point: Scalar, low: Scalar, high: Scalar) -> Scalar:
    """Return what `finish_lanes` does but for the clip, unless it takes the clip to fit s32.

    In the high half, one half and the zero point are whole numbers, which one addition brings in after the totals are joined.
    """
    if fits_high_half(shift, zero_point, low, high):
        start = (np.int64(1) << np.int64(shift - 33)) + (np.int64(zero_point) << np.int64(shift - 32))
        return (join_high(even, odd) + start) >> (shift - 32)
    half = np.int64(1) << np.int64(shift - 1)
    return join(
        smaller(larger(((even + half) >> shift) + zero_point, low), high),
        smaller(larger(((odd + half) >> shift) + zero_point, low), high),
    )


@device
def finish(x: Array, multiplier: Array, shift: Scalar, zero_point: Scalar, low: Scalar, high: Scalar, y: Array) -> None:
    """Compute `y = clip(rescale(x, multiplier, shift) + zero_point)` for a row of s32 and one multiplier a column."""
    for c in range(0, len(y), LANES_32):
        v, m = load(x, c, LANES_32, 0), load(multiplier, c, LANES_32, 0)
        store(y, c, finish_lanes(even(v) * even(m), odd(v) * odd(m), shift, zero_point, low, high))


@device
def share(total: Scalar, part: Scalar, parts: Scalar) -> Scalar:
    """Return the first and the end of share `part` of `parts` of `total` things."""
    return total * part // parts, total * (part + 1) // parts
