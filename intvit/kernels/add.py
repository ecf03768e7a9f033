"""Add: two tensors of one shape at a third scale, with one rounding."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from intvit.kernels.integer import finish_lanes, share
from intvit.kernels.jit import Scalar, device, kernel
from intvit.kernels.lanes import even, halves, odd, pair_dot, zip_high, zip_low
from intvit.kernels.store_codes import middle_of, store_fours
from intvit.kernels.vector import LANES_16, LANES_32, cast, fits_s16, load, store, vector

Array = NDArray[Any]

LIMB_BITS = 16
"""Bits of the lower limb of a multiplier."""


@kernel()
def add(
    a: Array, b: Array, multiplier_a: int, multiplier_b: int,
    shift: int, zero_point: int, low: int, high: int, y: Array, part: int, parts: int,
) -> None:  # fmt: skip
    """Compute `y = clip(((a multiplier_a + b multiplier_b + 2**(shift-1)) >> shift) + zero_point)` for arrays [R, C]."""
    start, stop = share(len(y), part, parts)
    add_rows(a[start:stop], b[start:stop], multiplier_a, multiplier_b, shift, zero_point, low, high, y[start:stop])


@device
def add_rows(
    a: Array, b: Array, multiplier_a: Scalar, multiplier_b: Scalar,
    shift: Scalar, zero_point: Scalar, low: Scalar, high: Scalar, y: Array,
) -> None:  # fmt: skip
    """Add [R, C], contiguous in C."""
    if fits_s16(a) and fits_s16(b) and fits_limbs(multiplier_a, multiplier_b, shift, zero_point - middle_of(y, high)):
        add_short(a, b, multiplier_a, multiplier_b, shift, zero_point, low, high, y)
        return
    m_a, m_b = np.int64(np.int32(multiplier_a)), np.int64(np.int32(multiplier_b))
    for r in range(len(y)):
        for c in range(0, y.shape[1], LANES_32):
            v, w = cast(load(a[r], c, LANES_32, 0), np.int32), cast(load(b[r], c, LANES_32, 0), np.int32)
            codes = finish_lanes(even(v) * m_a + even(w) * m_b, odd(v) * m_a + odd(w) * m_b, shift, zero_point, low, high)
            store(y[r], c, codes)


@device
def limbs(multiplier: Scalar) -> tuple[Scalar, Scalar]:
    """Return s16 `upper` and `lower` with `multiplier = 2**16 upper + lower`."""
    upper = (multiplier + (1 << (LIMB_BITS - 1))) >> LIMB_BITS
    return upper, multiplier - (upper << LIMB_BITS)


@device
def fits_limbs(multiplier_a: Scalar, multiplier_b: Scalar, shift: Scalar, zero_point: Scalar) -> Scalar:
    """Whether products of s16 with the limbs, and their sums with half and zero point, fit s32."""
    (upper_a, lower_a), (upper_b, lower_b) = limbs(multiplier_a), limbs(multiplier_b)
    bound = np.int64(1) << np.int64(62 - shift)
    if shift <= LIMB_BITS or not -bound <= zero_point <= bound:
        return False
    start = abs((1 << (shift - LIMB_BITS - 1)) + (zero_point << (shift - LIMB_BITS)))
    return (
        max(upper_a, upper_b) < 1 << (LIMB_BITS - 1)
        and abs(lower_a) + abs(lower_b) < 1 << LIMB_BITS
        and ((upper_a + upper_b + 2) << (LIMB_BITS - 1)) + start < 1 << 31
    )


@device
def add_short(
    a: Array, b: Array, multiplier_a: Scalar, multiplier_b: Scalar,
    shift: Scalar, zero_point: Scalar, low: Scalar, high: Scalar, y: Array,
) -> None:  # fmt: skip
    """Add s16, s8 or u8 as pairs: the products with the lower limbs only matter by their upper halves."""
    (upper_a, lower_a), (upper_b, lower_b) = limbs(multiplier_a), limbs(multiplier_b)
    uppers = halves(vector(np.int32, LANES_32, (upper_b << LIMB_BITS) | upper_a))
    lowers = halves(vector(np.int32, LANES_32, (lower_b << LIMB_BITS) | (lower_a & 0xFFFF)))
    middle, down = middle_of(y, high), shift - LIMB_BITS
    start = (1 << (down - 1)) + ((zero_point - middle) << down)
    for r in range(len(y)):
        for c in range(0, y.shape[1], LANES_16):
            v, w = cast(load(a[r], c, LANES_16, 0), np.int16), cast(load(b[r], c, LANES_16, 0), np.int16)
            p, q = zip_low(v, w), zip_high(v, w)
            first = ((pair_dot(p, lowers) >> LIMB_BITS) + pair_dot(p, uppers) + start) >> down
            second = ((pair_dot(q, lowers) >> LIMB_BITS) + pair_dot(q, uppers) + start) >> down
            store_fours(y[r], c, first, second, middle, low, high)
