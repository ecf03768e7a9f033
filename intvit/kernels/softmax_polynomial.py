"""SoftmaxPolynomial: a shift by the integer part of the distance, a polynomial of its fraction."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from intvit.kernels.integer import share, shift_left, shift_right
from intvit.kernels.jit import device, kernel
from intvit.kernels.softmax_exp import distances, total

Array = NDArray[Any]

FRACTION_BITS, VALUE_BITS = 15, 7
"""Fraction bits of the distance and of the exponential, as in `intvit.ops.softmax_polynomial`."""
FRACTION = (1 << FRACTION_BITS) - 1
LIMIT = ((31 - VALUE_BITS) << FRACTION_BITS) | FRACTION
"""The largest distance that matters."""


@kernel(scratch=("distance",))
def softmax_polynomial(
    x: Array,
    multiplier: Array,
    shift: int,
    coefficients: Array,
    distance: Array,
    e: Array,
    row_sum: Array,
    part: int,
    parts: int,
) -> None:
    """Compute `e ~ 255 exp(scale (x - rowmax))` and its sum for each row.

    Args:
        x: s32 [R, C].
        multiplier: s32 [R], non-negative.
        coefficients: s32 [4], constant term first.
        distance: s32 [C], scratch.
        e: u8 [R, C]; row_sum: s32 [R].
    """
    start, stop = share(len(e), part, parts)
    for r in range(start, stop):
        distances(x[r], multiplier[r], shift, LIMIT, distance)
        exponentials(distance, coefficients, e[r])
        row_sum[r] = total(e[r])


@device
def exponentials(distance: Array, coefficients: Array, e: Array) -> None:
    """Write `round(p(f) / 2**(7 + n))` for each distance `n + f`, as u8; every product fits s32."""
    c0, c1, c2, c3 = coefficients[0], coefficients[1], coefficients[2], coefficients[3]
    for c in range(len(e)):
        f = np.int32(distance[c] & np.int32(FRACTION))
        down = np.int32(shift_right(distance[c], FRACTION_BITS) + np.int32(VALUE_BITS))
        h = np.int32(shift_right(np.int32(c3 * f), FRACTION_BITS) + c2)
        h = np.int32(shift_right(np.int32(h * f), FRACTION_BITS) + c1)
        h = np.int32(shift_right(np.int32(h * f), FRACTION_BITS) + c0)
        e[c] = shift_right(np.int32(h + shift_left(1, np.int32(down - 1))), down)
