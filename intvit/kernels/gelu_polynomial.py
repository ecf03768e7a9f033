"""GeluPolynomial: the bump as `u w^4 q(w)`, `u = |x|/4`, `w = 1 - u`, in lanes of 16 bits where they are enough."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numba.extending import overload
from numpy.typing import NDArray

from intvit.kernels.gelu import TAIL, VALUE_BITS
from intvit.kernels.horner import UNIT_BITS, fits_16_bits, horner, horner_steps, read_steps
from intvit.kernels.integer import round_lanes, share
from intvit.kernels.jit import Scalar, device, kernel
from intvit.kernels.lanes import (
    back,
    concat,
    even,
    first_fours,
    front,
    halves,
    last_fours,
    odd,
    pair_dot,
    zip_high,
    zip_low,
)
from intvit.kernels.store_codes import middle_of, store_fours
from intvit.kernels.vector import WIDE, cast, larger, load, product_high, smaller, vector

Array = NDArray[Any]

COEFFICIENT_BITS = 12
"""Fraction bits of the coefficients, as in `intvit.ops.gelu_polynomial`."""
BLOCK = 16
"""Rows of a block."""
HALF = WIDE // 2


def gelu_steps(coefficients: Sequence[int], fraction_bits: int) -> Array:
    """Return what the kernel reads of q's coefficients, constant term first, for x with these fraction bits."""
    w = np.arange(1, (1 << UNIT_BITS) + 1, dtype=np.int64)
    steps = horner_steps(coefficients, w, range(1 << 15), 1)
    return steps if fraction_bits else np.array(coefficients, np.int32)


@kernel()
def gelu_polynomial(
    x: Array, multiplier: Array, steps: Array, fraction_bits: int,
    shift: int, zero_point: int, low: int, high: int, y: Array, part: int, parts: int,
) -> None:  # fmt: skip
    """Compute GELU and requantize it.

    Args:
        x: s16 [R, C].
        multiplier: s32 [C], non-negative.
        steps: of `gelu_steps`, or the coefficients themselves, s32.
        fraction_bits: of x.
        shift, zero_point, low, high: of the output.
        y: the codes.
    """
    start, stop = share(len(y), part, parts)
    numbers = (fraction_bits, shift, zero_point, low, high)
    for r in range(start, stop, BLOCK):
        end = min(r + BLOCK, stop)
        gelu_polynomial_block(x[r:end], multiplier, steps, numbers, y[r:end])


@device
def gelu_polynomial_block(x: Array, multiplier: Array, steps: Array, numbers: Any, y: Array) -> None:
    """Compute rows that are in the first cache, all of a few columns before the next ones.

    Two rows come at a time, so that they cover each other's latencies; a last one alone is computed twice.

    Args:
        x, y: [R, C], contiguous in C.
        multiplier, steps: as above.
        numbers: fraction_bits, shift, zero_point, low, high.
    """
    constants, (_, _, _, low, high) = read_steps(steps), numbers
    middle = middle_of(y, high)
    for c in range(0, y.shape[1], WIDE):
        factors = read_factors(multiplier, c)
        for r in range(0, len(y), 2):
            s = min(r + 1, len(y) - 1)
            rows = concat(load(x[r], c, WIDE, 0), load(x[s], c, WIDE, 0))
            first, last = rounded(rows, factors, constants, numbers, middle)
            store_fours(y[r], c, front(first), front(last), middle, low, high)
            store_fours(y[s], c, back(first), back(last), middle, low, high)


@device
def read_factors(multiplier: Array, c: Scalar) -> tuple[Scalar, ...]:
    """Return the multipliers from `c` on as s64 for two rows: even and odd ones of the first fours, then of the last."""
    m0, m1 = load(multiplier, c, HALF, 0), load(multiplier, c + HALF, HALF, 0)
    m_first, m_last = first_fours(m0, m1), last_fours(m0, m1)
    both_first, both_last = concat(m_first, m_first), concat(m_last, m_last)
    return even(both_first), odd(both_first), even(both_last), odd(both_last)


@device
def rounded(x: Scalar, factors: tuple[Scalar, ...], steps: tuple[Scalar, ...], numbers: Any, middle: Scalar) -> Any:
    """Return the codes of s16 lanes less `middle`, not clipped: of the first four of every eight, and of the last four."""
    fraction_bits, shift, zero_point, low, high = numbers
    v0, v1 = gelu_values(x, steps, fraction_bits)
    rounding = shift, zero_point - middle, low - middle, high - middle
    return (
        round_lanes(even(v0) * factors[0], odd(v0) * factors[1], *rounding),
        round_lanes(even(v1) * factors[2], odd(v1) * factors[3], *rounding),
    )


def gelu_values(x: Any, steps: Any, fraction_bits: Scalar) -> Any:
    """Return `2**15 gelu(x)` of s16 lanes as s32: of the first four of every eight, and of the last four."""
    raise NotImplementedError("only kernels call this")


@overload(gelu_values)
def _gelu_values(x: Any, steps: Any, fraction_bits: Any) -> Callable[..., Any]:
    pairs = x.lanes // 2

    def from_16_bits(x: Any, steps: Any, fraction_bits: Any) -> Any:
        bump, relu = cast(bump_16(near(x, fraction_bits), steps, fraction_bits), np.int16), larger(x, 0)
        factors = halves(vector(np.int32, pairs, (1 << (VALUE_BITS - fraction_bits)) - (1 << 16)))
        return pair_dot(zip_low(relu, bump), factors), pair_dot(zip_high(relu, bump), factors)

    def from_32_bits(x: Any, steps: Any, fraction_bits: Any) -> Any:
        size, relu, up = cast(near(x, fraction_bits), np.int16), larger(x, 0), VALUE_BITS - fraction_bits
        first, last = zip_low(relu, size), zip_high(relu, size)
        return (
            (even(first) << up) - bump_32(odd(first), steps, fraction_bits),
            (even(last) << up) - bump_32(odd(last), steps, fraction_bits),
        )

    return from_16_bits if fits_16_bits(steps) else from_32_bits


@device
def near(x: Scalar, fraction_bits: Scalar) -> Scalar:
    """Return `|x|` of s16 lanes, limited to just below the tail, as u16."""
    return smaller(cast(larger(x, 0 - x), np.uint16), (TAIL << fraction_bits) - 1)


@device
def bump_16(size: Scalar, steps: tuple[Scalar, ...], fraction_bits: Scalar) -> Scalar:
    """Return the bump in u16 lanes; where u is 0, so that w is 2^15 and 2w wraps, any q gives 0."""
    u = size << (UNIT_BITS - 2 - fraction_bits)
    w = (1 << UNIT_BITS) - u
    twice = w + w
    w2 = product_high(w, twice)
    w4 = product_high(w2, w2 + w2)
    uw4 = product_high(u, w4 + w4)
    return product_high(uw4 << (16 - COEFFICIENT_BITS), horner(twice, w, steps))


@device
def bump_32(size: Scalar, steps: tuple[Scalar, ...], fraction_bits: Scalar) -> Scalar:
    """Return the bump in s32 lanes, which all products fit."""
    u = size << (UNIT_BITS - 2 - fraction_bits)
    w = (1 << UNIT_BITS) - u
    w2 = (w * w) >> UNIT_BITS
    w4 = (w2 * w2) >> UNIT_BITS
    return (((u * w4) >> UNIT_BITS) * horner(w, w, steps)) >> COEFFICIENT_BITS
