"""SoftmaxOctave: a distance to the maximum, 4 whole and 6 fraction bits, in the high half of a 32-bit product."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from intvit.kernels.jit import Scalar, device
from intvit.kernels.lanes import high_halves, low_halves
from intvit.kernels.lookup import lookup_words
from intvit.kernels.softmax_exp import distances
from intvit.kernels.vector import cast, smaller

Array = NDArray[Any]

FRACTION_BITS, WHOLE_BITS = 6, 4
"""Of a distance, as in `intvit.ops.softmax_octave`."""
BELOW = 16 - WHOLE_BITS - FRACTION_BITS
"""Bits below a distance in a word of which it fills the upper ones."""
SHIFT = 16 + BELOW
"""With this one, the upper bits of a product of 32 bits are the distance."""
MOST = 1 << 29
"""One difference of so large a multiplier is 2 octaves."""


@device
def octave_scale(multiplier: Scalar, shift: Scalar) -> Any:
    """Return multiplier, shift, and the largest difference whose product has 32 bits.

    That is 0, and no products of 32 bits are taken, with another shift than `SHIFT`, or a multiplier of `MOST` or more, with
    which the largest may be less than 12 octaves, from where on every exponential is 0.
    """
    if shift != SHIFT or not 0 < multiplier < MOST:
        return multiplier, shift, np.int64(0)
    return multiplier, shift, ((1 << 32) - 1 - (1 << (SHIFT - 1))) // np.int64(multiplier)


@device
def octave_exponentials(table: Array, x0: Scalar, x1: Scalar, top: Scalar, scale: Any) -> Scalar:
    """Return `table[f] >> n` of two s32 vectors as u16, those of the first before those of the second."""
    place = places(x0, x1, top, scale)
    return lookup_words(table, place >> BELOW) >> (place >> (BELOW + FRACTION_BITS))


@device
def places(x0: Scalar, x1: Scalar, top: Scalar, scale: Any) -> Scalar:
    """Return the distances in the upper bits of u16, differences beyond the largest one, whose exponential is 0, as that."""
    multiplier, shift, most = scale
    if most == 0:
        limit = (1 << (WHOLE_BITS + FRACTION_BITS)) - 1
        d0 = distances(x0, top, multiplier, shift, shift, limit)
        d1 = distances(x1, top, multiplier, shift, shift, limit)
        return cast(low_halves(d0, d1), np.uint16) << BELOW
    p0, p1 = product(x0, top, multiplier, most), product(x1, top, multiplier, most)
    return cast(high_halves(p0, p1), np.uint16)


@device
def product(x: Scalar, top: Scalar, multiplier: Scalar, most: Scalar) -> Scalar:
    """Return `min(top - x, most) * multiplier`, and one half for the rounding, of s32 lanes as u32."""
    return smaller(cast(top - x, np.uint32), most) * multiplier + (1 << (SHIFT - 1))
