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
from intvit.kernels.lanes import even, high_halves, join_high, low_halves, odd
from intvit.kernels.softmax_exp import LOWEST, distances, row_max
from intvit.kernels.vector import (
    LANES_16,
    LANES_32,
    cast,
    first,
    load,
    load_whole,
    product_high,
    smaller,
    store,
    sum_lanes,
    vector,
)

Array = NDArray[Any]

FRACTION, EVEN = (1 << UNIT_BITS) - 1, 0xFFFE


def exponential_steps(coefficients: Sequence[int]) -> Array:
    """Return what the kernel reads of the polynomial's coefficients, constant term first."""
    return horner_steps(coefficients, np.arange(1 << UNIT_BITS, dtype=np.int64), range(1 << UNIT_BITS), 0)


def exponential_thresholds(thresholds: Sequence[int]) -> Array:
    """Return thresholds, a power of two of them up to `LANES_16`, as the kernel reads them: u16 [LANES_16], repeated."""
    return np.resize(np.array(thresholds, np.uint16), LANES_16)


@kernel()
def softmax_polynomial(
    x: Array, multiplier: Array, shift: int, steps: Array, value_bits: int, threshold_bits: int, thresholds: Array,
    e: Array, row_sum: Array, part: int, parts: int,
) -> None:  # fmt: skip
    """Compute `e ~ top exp(scale (x - rowmax))` and its sum for each row.

    Args:
        x: s32 [R, C].
        multiplier: s32 [R], non-negative.
        shift: of the rescale to distances.
        steps: of `exponential_steps`.
        value_bits: fraction bits of the exponential, which has 15 bits with them, before it is rounded.
        threshold_bits: those of them that are kept until a threshold is added.
        thresholds: of `exponential_thresholds`.
        e: u8/s16 [R, C]; row_sum: s32 [R].
    """
    rounding = value_bits, threshold_bits, thresholds
    r, stop = share(len(e), part, parts)
    while r < stop:
        end = r + 1
        while end < stop and multiplier[end] == multiplier[r]:
            end += 1
        exponential_rows(x[r:end], x.shape[1], multiplier[r], shift, steps, rounding, e[r:end], row_sum[r:end])
        r = end


@device
def exponential_rows(
    x: Array, columns: Scalar, multiplier: Scalar, shift: Scalar, steps: Array, rounding: tuple[Scalar, Scalar, Array],
    e: Array, row_sum: Array,
) -> None:  # fmt: skip
    """Write the exponentials of all rows and their sums.

    `rounding` is value bits, threshold bits and thresholds, as in `softmax_polynomial`. Rows of x may be longer than `columns`;
    what is there must be `LOWEST`. Rows of e may be longer, too, and get zeros there.
    """
    value_bits, threshold_bits, thresholds = rounding
    dropped = value_bits - threshold_bits
    end, raise_by = (UNIT_BITS - dropped) << UNIT_BITS, load(thresholds, 0, LANES_16, 0)
    cap, limit = difference_cap(multiplier, shift, end), 2 * (end + (1 << UNIT_BITS)) - 1
    scale = multiplier, shift, cap, limit
    how = read_steps(steps), dropped, threshold_bits
    chunk = LANES_16 << max(value_bits, 2)
    ahead = row_max(x[0])
    for r in range(len(x)):
        row, top, total = x[r], ahead, np.int32(0)
        ahead = row_max(x[min(r + 1, len(x) - 1)])
        for start in range(0, columns, chunk):
            sums, stop = vector(np.uint16, LANES_16, 0), min(start + chunk, columns)
            left = (stop - start) & (LANES_16 - 1)
            for c in range(start, stop - left, LANES_16):
                x0, x1 = load_whole(row, c, LANES_32), load_whole(row, c + LANES_32, LANES_32)
                values = exponentials(x0, x1, top, scale, how, raise_by)
                sums = sums + values
                store(e[r], c, cast(values, e.dtype.type))
            if left:
                c = stop - left
                x0, x1 = load(row, c, LANES_32, LOWEST), load(row, c + LANES_32, LANES_32, LOWEST)
                inside = first(vector(np.uint16, LANES_16, 0xFFFF), left)
                values = exponentials(x0, x1, top, scale, how, raise_by) & inside
                sums = sums + values
                store(e[r], c, cast(values, e.dtype.type))
            total += np.int32(sum_lanes(even(sums) + odd(sums)))
        row_sum[r] = total


@device
def exponentials(x0: Scalar, x1: Scalar, top: Scalar, scale: Any, how: Any, raise_by: Scalar) -> Scalar:
    """Return the rounded exponentials of two s32 vectors as u16, those of the first before those of the second."""
    multiplier, shift, cap, limit = scale
    steps, dropped, threshold_bits = how
    d0 = twofold_distances(x0, top, multiplier, shift, cap, limit)
    d1 = twofold_distances(x1, top, multiplier, shift, cap, limit)
    return (fine_exponentials(d0, d1, steps, dropped) + raise_by) >> threshold_bits


@device
def difference_cap(multiplier: Scalar, shift: Scalar, end: Scalar) -> Scalar:
    """Return a difference whose distance is `end` or less than an octave more; 0 if multiplier or shift is unusual."""
    if shift < 17 or shift > 33 or multiplier < 1 << 21:
        return np.int64(0)
    return (np.int64(end) << np.int64(shift)) // np.int64(multiplier) + 1


@device
def twofold_distances(x: Scalar, top: Scalar, multiplier: Scalar, shift: Scalar, cap: Scalar, limit: Scalar) -> Scalar:
    """Return twice the distances as u32, where bit 0 does not count, and those of differences beyond `cap` only say so.

    With a cap, the shift makes the high half of a product of 32 bits the result but for the rounding, which is 1. Without one
    they are at most `limit`.
    """
    if cap == 0:
        return distances(x, top, multiplier, shift, shift - 1, limit)
    difference = smaller(cast(top - x, np.uint32), cap) << (33 - shift)
    factor = np.uint64(np.uint32(multiplier))
    return join_high(even(difference) * factor, odd(difference) * factor) + 1


def fine_exponentials(d0: Any, d1: Any, steps: Any, dropped: Any) -> Any:
    """Return `floor(p(f) / 2**(dropped + n))` as u16 for twofold distances `n + f`, u32, of which bit 0 does not count.

    Those of the first vector come before those of the second.
    """
    raise NotImplementedError("only kernels call this")


@overload(fine_exponentials)
def _fine_exponentials(d0: Any, d1: Any, steps: Any, dropped: Any) -> Callable[..., Any]:
    def in_16_bits(d0: Any, d1: Any, steps: Any, dropped: Any) -> Any:
        twice, whole = cast(low_halves(d0, d1), np.uint16) & EVEN, cast(high_halves(d0, d1), np.uint16)
        scale = vector(np.uint16, LANES_16, np.uint16(1) << (UNIT_BITS - dropped)) >> whole
        return product_high(horner(twice, vector(np.uint16, LANES_16, 0), steps) << 1, scale)

    def in_32_bits(d0: Any, d1: Any, steps: Any, dropped: Any) -> Any:
        return low_halves(
            fine_exponentials_32(cast(d0, np.int32), steps, dropped), fine_exponentials_32(cast(d1, np.int32), steps, dropped)
        )

    return in_16_bits if fits_16_bits(steps) else in_32_bits


@device
def fine_exponentials_32(d: Scalar, steps: tuple[Scalar, ...], dropped: Scalar) -> Scalar:
    """Return the exponentials in 32-bit lanes."""
    return cast(horner((d >> 1) & FRACTION, d, steps) >> ((d >> (UNIT_BITS + 1)) + dropped), np.uint32)
