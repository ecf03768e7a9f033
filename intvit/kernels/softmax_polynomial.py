"""SoftmaxPolynomial: a shift by the integer part of the distance, a polynomial of its fraction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numba.extending import overload
from numpy.typing import NDArray

from intvit.kernels.horner import UNIT_BITS, fits_16_bits, horner, horner_steps, read_steps
from intvit.kernels.integer import share
from intvit.kernels.jit import Scalar, device, kernel
from intvit.kernels.lanes import even, join_high, narrow, narrow_high, odd, product_rounded
from intvit.kernels.softmax_exp import LOWEST, distances, row_max
from intvit.kernels.vector import LANES_16, LANES_32, cast, first, load, smaller, store, sum_lanes, vector

Array = NDArray[Any]

VALUE_BITS = 7
"""Fraction bits of the exponential, as in `intvit.ops.softmax_polynomial`."""
FRACTION, EVEN = (1 << UNIT_BITS) - 1, 0xFFFE
END = 9 << UNIT_BITS
"""The distance from which on the exponential is 0: values are below 2^15 with 7 fraction bits."""
LIMIT = (10 << (UNIT_BITS + 1)) - 1
"""A twofold distance beyond END."""
CHUNK = 128 * LANES_16
"""How many exponentials at most 16-bit lanes may sum up."""


def exponential_steps(coefficients: Sequence[int]) -> Array:
    """Return what the kernel reads of the polynomial's coefficients, constant term first."""
    return horner_steps(coefficients, np.arange(1 << UNIT_BITS, dtype=np.int64), range(1 << UNIT_BITS), 0)


@kernel()
def softmax_polynomial(
    x: Array, multiplier: Array, shift: int, steps: Array, e: Array, row_sum: Array, part: int, parts: int
) -> None:
    """Compute `e ~ 255 exp(scale (x - rowmax))` and its sum for each row.

    Args:
        x: s32 [R, C].
        multiplier: s32 [R], non-negative.
        shift: of the rescale to distances.
        steps: of `exponential_steps`.
        e: u8 [R, C]; row_sum: s32 [R].
    """
    r, stop = share(len(e), part, parts)
    while r < stop:
        end = r + 1
        while end < stop and multiplier[end] == multiplier[r]:
            end += 1
        exponential_rows(x[r:end], x.shape[1], multiplier[r], shift, steps, e[r:end], row_sum[r:end])
        r = end


@device
def exponential_rows(
    x: Array, columns: Scalar, multiplier: Scalar, shift: Scalar, steps: Array, e: Array, row_sum: Array
) -> None:
    """Write the exponentials of all rows and their sums.

    Rows of x may be longer than `columns`; what is there must be `LOWEST`. Rows of e may be longer, too, and get zeros there.
    """
    numbers, cap = read_steps(steps), difference_cap(multiplier, shift)
    ahead = row_max(x[0])
    for r in range(len(x)):
        row, out, top, total = x[r], e[r], ahead, np.int32(0)
        ahead = row_max(x[min(r + 1, len(x) - 1)])
        for start in range(0, columns, CHUNK):
            sums = vector(np.uint16, LANES_16, 0)
            for c in range(start, min(start + CHUNK, columns), LANES_16):
                d0 = twofold_distances(load(row, c, LANES_32, LOWEST), top, multiplier, shift, cap)
                d1 = twofold_distances(load(row, c + LANES_32, LANES_32, LOWEST), top, multiplier, shift, cap)
                values = exponentials(d0, d1, numbers)
                if c + LANES_16 > columns:
                    values = first(values, columns - c)
                sums = sums + values
                store(out, c, values)
            total += np.int32(sum_lanes(even(sums) + odd(sums)))
        row_sum[r] = total


@device
def difference_cap(multiplier: Scalar, shift: Scalar) -> Scalar:
    """Return a difference to the maximum that is at least END away, or 0 if the multiplier or the shift is not a usual one."""
    if shift < 14 or shift > 33 or multiplier < 1 << 21:
        return np.int64(0)
    return (np.int64(END) << np.int64(shift)) // np.int64(multiplier) + 1


@device
def twofold_distances(x: Scalar, top: Scalar, multiplier: Scalar, shift: Scalar, cap: Scalar) -> Scalar:
    """Return twice the distances as u32, where bit 0 does not count, and those of differences beyond `cap` only say so.

    With a cap, the shift makes the high half of a product of 32 bits the result but for the rounding, which is 1.
    """
    if cap == 0:
        return distances(x, top, multiplier, shift, shift - 1, LIMIT)
    difference = smaller(cast(top - x, np.uint32), cap) << (33 - shift)
    factor = np.uint64(np.uint32(multiplier))
    return join_high(even(difference) * factor, odd(difference) * factor) + 1


def exponentials(d0: Any, d1: Any, steps: Any) -> Any:
    """Return `round(p(f) / 2**(7 + n))` as u16 for distances `n + f`, given twice, as u32, where bit 0 does not count."""
    raise NotImplementedError("only kernels call this")


@overload(exponentials)
def _exponentials(d0: Any, d1: Any, steps: Any) -> Callable[..., Any]:
    def in_16_bits(d0: Any, d1: Any, steps: Any) -> Any:
        twice, whole = narrow(d0, d1) & EVEN, narrow_high(d0, d1)
        value = cast(horner(twice, vector(np.uint16, LANES_16, 0), steps), np.int16)
        scale = cast(vector(np.uint16, LANES_16, 1 << (UNIT_BITS - VALUE_BITS)) >> whole, np.int16)
        return cast(product_rounded(value, scale), np.uint16)

    def in_32_bits(d0: Any, d1: Any, steps: Any) -> Any:
        return narrow(exponentials_32(cast(d0, np.int32), steps), exponentials_32(cast(d1, np.int32), steps))

    return in_16_bits if fits_16_bits(steps) else in_32_bits


@device
def exponentials_32(d: Scalar, steps: tuple[Scalar, ...]) -> Scalar:
    """Return the exponentials in 32-bit lanes."""
    value = horner((d >> 1) & FRACTION, d, steps)
    return cast(((value >> ((d >> (UNIT_BITS + 1)) + (VALUE_BITS - 1))) + 1) >> 1, np.uint32)
