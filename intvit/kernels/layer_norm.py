"""LayerNorm: exact sums, square root and reciprocal once a row, then one affine pass."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numba.extending import overload
from numpy.typing import NDArray

from intvit.kernels.integer import bit_length, finish_lanes, isqrt_lifted, share
from intvit.kernels.jit import Scalar, device, kernel
from intvit.kernels.lanes import even, evens, low, odd, odds, pair_dot
from intvit.kernels.vector import LANES_16, LANES_32, LANES_64, cast, load, store, sum_lanes, vector

Array = NDArray[Any]

FRACTION_BITS = 20
"""Fraction bits of the normalized value, as in `intvit.ops.layer_norm`."""


@kernel()
def layer_norm(
    x: Array,
    multiplier: Array,
    bias: Array,
    epsilon: int,
    shift: int,
    zero_point: int,
    low_code: int,
    high_code: int,
    y: Array,
    part: int,
    parts: int,
) -> None:
    """Normalize each row of `x` [R, C] into `y` [R, C].

    Args:
        x: s16/s32 or smaller.
        multiplier: s32 [C]; bias: s64 [C].
        epsilon: at the scale of the variance.
        shift, zero_point, low_code, high_code: of the output.
        y: the codes.
    """
    start, stop = share(len(y), part, parts)
    ahead = row_scale(x[start], epsilon) if start < stop else (0, 0, 0)
    for r in range(start, stop):
        total, reciprocal, down = ahead
        ahead = row_scale(x[min(r + 1, stop - 1)], epsilon)
        affine(x[r], total, reciprocal, down, multiplier, bias, shift, zero_point, low_code, high_code, y[r])


@device
def row_scale(row: Array, epsilon: Scalar) -> tuple[Scalar, Scalar, Scalar]:
    """Return the sum of a row, the reciprocal of its lifted standard deviation and the shift that follows their product."""
    channels = np.int64(len(row))
    total, squares = moments(row)
    variance = channels * squares - total * total + np.int64(epsilon)
    lift = (np.int64(62) - bit_length(variance)) // np.int64(2)
    root = isqrt_lifted(variance << (np.int64(2) * lift))
    reciprocal = np.int64(((np.uint64(1) << np.uint64(61)) - np.uint64(1)) // np.uint64(root))
    return total, reciprocal, np.int64(61 - FRACTION_BITS) - lift


@device
def affine(
    row: Array, total: Scalar, reciprocal: Scalar, down: Scalar, multiplier: Array, bias: Array,
    shift: Scalar, zero_point: Scalar, low_code: Scalar, high_code: Scalar, y: Array,
) -> None:  # fmt: skip
    """Write one row; the normalized value, with 20 fraction bits, `channels * x - total` and the reciprocal fit s32."""
    channels, factor = len(row), np.int64(np.int32(reciprocal))
    for c in range(0, len(row), LANES_32):
        centred = cast(load(row, c, LANES_32, 0), np.int32) * channels - total
        z_even, z_odd = (even(centred) * factor) >> down, (odd(centred) * factor) >> down
        m_even, m_odd = load_parity(multiplier, c)
        b_even, b_odd = load_parity(bias, c)
        affine_even, affine_odd = low(z_even) * m_even + b_even, low(z_odd) * m_odd + b_odd
        store(y, c, finish_lanes(affine_even, affine_odd, shift, zero_point, low_code, high_code))


def load_parity(channels: Array, c: Scalar) -> Any:
    """Return the numbers of the even and of the odd channels of 16 from `c` on, as s64."""
    raise NotImplementedError("only kernels call this")


@overload(load_parity)
def _load_parity(channels: Any, c: Any) -> Callable[..., Any]:
    def of_32_bits(channels: Any, c: Any) -> Any:
        numbers = load(channels, c, LANES_32, 0)
        return even(numbers), odd(numbers)

    def of_64_bits(channels: Any, c: Any) -> Any:
        first, second = load(channels, c, LANES_64, 0), load(channels, c + LANES_64, LANES_64, 0)
        return evens(first, second), odds(first, second)

    return of_32_bits if channels.dtype.bitwidth == 32 else of_64_bits


def moments(row: Array) -> tuple[Scalar, Scalar]:
    """Return the sum and the sum of squares in int64."""
    raise NotImplementedError("only kernels call this")


@overload(moments)
def _moments(row: Any) -> Callable[..., Any]:
    def of_16_bits(row: Any) -> Any:
        total, lower, upper = vector(np.int32, LANES_32, 0), vector(np.uint64, LANES_64, 0), vector(np.uint64, LANES_64, 0)
        for c in range(0, len(row), LANES_16):
            v = cast(load(row, c, LANES_16, 0), np.int16)
            total = total + pair_dot(v, vector(np.int16, LANES_16, 1))
            squares = cast(pair_dot(v, v), np.uint32)
            lower = lower + even(squares)
            upper = upper + odd(squares)
        return sum_lanes(even(total) + odd(total)), np.int64(sum_lanes(lower + upper))

    def of_32_bits(row: Any) -> Any:
        total, squares = vector(np.int32, LANES_32, 0), vector(np.int64, LANES_64, 0)
        for c in range(0, len(row), LANES_32):
            v = cast(load(row, c, LANES_32, 0), np.int32)
            total = total + v
            squares = squares + (even(v) * even(v) + odd(v) * odd(v))
        return sum_lanes(even(total) + odd(total)), sum_lanes(squares)

    small = row.dtype.bitwidth < 16 or (row.dtype.bitwidth == 16 and row.dtype.signed)
    return of_16_bits if small else of_32_bits
