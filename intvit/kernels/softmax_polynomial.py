"""SoftmaxPolynomial: a shift by the integer part of the distance, a polynomial of its fraction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numba.extending import overload
from numpy.typing import NDArray

from intvit.kernels.horner import UNIT_BITS, fits_16_bits, horner, horner_steps, read_steps
from intvit.kernels.jit import Scalar, device
from intvit.kernels.lanes import even, high_halves, join_high, low_halves, odd
from intvit.kernels.softmax_exp import distances
from intvit.kernels.vector import LANES_16, cast, product_high, smaller, vector

Array = NDArray[Any]

FRACTION, EVEN = (1 << UNIT_BITS) - 1, 0xFFFE


def exponential_steps(coefficients: Sequence[int]) -> Array:
    """Return what the kernel reads of the polynomial's coefficients, constant term first."""
    return horner_steps(coefficients, np.arange(1 << UNIT_BITS, dtype=np.int64), range(1 << UNIT_BITS), 0)


@device
def polynomial_scale(steps: Array, multiplier: Scalar, shift: Scalar, dropped: Scalar) -> Any:
    """Return what `polynomial_exponentials` takes of a rescale and a polynomial, of whose result it drops so many bits."""
    end = (UNIT_BITS - dropped) << UNIT_BITS
    cap, limit = difference_cap(multiplier, shift, end), 2 * (end + (1 << UNIT_BITS)) - 1
    return (multiplier, shift, cap, limit), read_steps(steps), dropped


@device
def polynomial_exponentials(x0: Scalar, x1: Scalar, top: Scalar, scale: Any) -> Scalar:
    """Return the exponentials of two s32 vectors as u16, those of the first before those of the second."""
    (multiplier, shift, cap, limit), steps, dropped = scale
    d0 = twofold_distances(x0, top, multiplier, shift, cap, limit)
    d1 = twofold_distances(x1, top, multiplier, shift, cap, limit)
    return power_of_two(d0, d1, steps, dropped)


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


def power_of_two(d0: Any, d1: Any, steps: Any, dropped: Any) -> Any:
    """Return `floor(p(f) / 2**(dropped + n))` as u16 for twofold distances `n + f`, u32, of which bit 0 does not count.

    Those of the first vector come before those of the second.
    """
    raise NotImplementedError("only kernels call this")


@overload(power_of_two)
def _power_of_two(d0: Any, d1: Any, steps: Any, dropped: Any) -> Callable[..., Any]:
    def in_16_bits(d0: Any, d1: Any, steps: Any, dropped: Any) -> Any:
        twice, whole = cast(low_halves(d0, d1), np.uint16) & EVEN, cast(high_halves(d0, d1), np.uint16)
        scale = vector(np.uint16, LANES_16, np.uint16(1) << (UNIT_BITS - dropped)) >> whole
        return product_high(horner(twice, vector(np.uint16, LANES_16, 0), steps) << 1, scale)

    def in_32_bits(d0: Any, d1: Any, steps: Any, dropped: Any) -> Any:
        return low_halves(
            power_of_two_32(cast(d0, np.int32), steps, dropped), power_of_two_32(cast(d1, np.int32), steps, dropped)
        )

    return in_16_bits if fits_16_bits(steps) else in_32_bits


@device
def power_of_two_32(d: Scalar, steps: tuple[Scalar, ...], dropped: Scalar) -> Scalar:
    """Return the exponentials in 32-bit lanes."""
    return cast(horner((d >> 1) & FRACTION, d, steps) >> ((d >> (UNIT_BITS + 1)) + dropped), np.uint32)
