"""LayerNorm: exact sums of each row, square roots and reciprocals of eight rows at once, then one affine pass."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numba.extending import overload
from numpy.typing import NDArray

from intvit.kernels.aligned import aligned_copy
from intvit.kernels.integer import round_lanes, share
from intvit.kernels.jit import Scalar, device, kernel
from intvit.kernels.lanes import even, low, odd, pair_dot
from intvit.kernels.roots import divide, inverse_root, square_root
from intvit.kernels.store_codes import clipped, middle_of
from intvit.kernels.vector import (
    LANES_16,
    LANES_32,
    LANES_64,
    WIDE,
    cast,
    leading_zeros,
    load,
    load_whole,
    store,
    sum_lanes,
    vector,
)

Array = NDArray[Any]

FRACTION_BITS = 20
"""Fraction bits of the normalized value, as in `intvit.ops.layer_norm`."""
SCALES = 3
"""Numbers of a row that are kept between the passes: its sum, reciprocal and shift."""
HALF = WIDE // 2


def affine_numbers(multiplier: Array, bias: Array) -> tuple[Array, Array]:
    """Return s64 multipliers and biases [C] as `layer_norm` reads them: [C padded to whole vectors of WIDE].

    Of each WIDE numbers, those of the even channels come before those of the odd ones.
    """

    def apart(numbers: Array) -> Array:
        padded = np.pad(numbers.astype(np.int64), (0, -len(numbers) % WIDE))
        return aligned_copy(padded.reshape(-1, HALF, 2).swapaxes(1, 2).reshape(-1))

    return apart(multiplier), apart(bias)


@kernel(scratch=("scales",))
def layer_norm(
    x: Array, multiplier: Array, bias: Array, epsilon: int,
    shift: int, zero_point: int, low_code: int, high_code: int, scales: Array, y: Array, part: int, parts: int,
) -> None:  # fmt: skip
    """Normalize each row of `x` [R, C] into `y` [R, C].

    Args:
        x: s16/s32 or smaller.
        multiplier, bias: s64, of `affine_numbers`.
        epsilon: at the scale of the variance.
        shift, zero_point, low_code, high_code: of the output.
        scales: s64 [SCALES, LANES_64], scratch.
        y: the codes.
    """
    start, stop = share(len(y), part, parts)
    numbers = multiplier, bias, (shift, zero_point, low_code, high_code)
    for block in range(start, stop, LANES_64):
        count = min(LANES_64, stop - block)
        scales[1] = 1
        for r in range(count):
            total, squares = moments(x[block + r])
            scales[0, r] = total
            scales[1, r] = np.int64(x.shape[1]) * squares - total * total + np.int64(epsilon)
        find_scales(scales)
        for r in range(count):
            affine(x[block + r], (scales[0, r], scales[1, r], scales[2, r]), numbers, y[block + r])


@device
def find_scales(scales: Array) -> None:
    """Turn variances into reciprocals of lifted standard deviations, and the shifts that follow their product."""
    variance = load_whole(scales[1], 0, LANES_64)
    lift = (leading_zeros(variance) - 2) >> 1
    lifted = variance << (lift + lift)
    inverse = inverse_root(lifted)
    root = square_root(lifted, inverse)
    store(scales[1], 0, divide(vector(np.int64, LANES_64, (1 << 61) - 1), root, inverse))
    store(scales[2], 0, (61 - FRACTION_BITS) - lift)


@device
def affine(row: Array, scale: tuple[Scalar, ...], numbers: Any, y: Array) -> None:
    """Write one row."""
    tail = len(row) & (WIDE - 1)
    for c in range(0, len(row) - tail, WIDE):
        store(y, c, affine_codes(load_whole(row, c, WIDE), len(row), scale, numbers, c, y))
    if tail:
        c = len(row) - tail
        store(y, c, affine_codes(load(row, c, WIDE, 0), len(row), scale, numbers, c, y))


@device
def affine_codes(x: Scalar, channels: Scalar, scale: tuple[Scalar, ...], numbers: Any, c: Scalar, y: Array) -> Scalar:
    """Return the codes of some channels; the normalized value, `channels * x - total` and the reciprocal fit s32."""
    total, reciprocal, down = scale
    multiplier, bias, (shift, zero_point, low_code, high_code) = numbers
    centred, factor = cast(x, np.int32) * channels - total, np.int64(np.int32(reciprocal))
    z_even, z_odd = (even(centred) * factor) >> down, (odd(centred) * factor) >> down
    affine_even = low(z_even) * low(load_whole(multiplier, c, HALF)) + load_whole(bias, c, HALF)
    affine_odd = low(z_odd) * low(load_whole(multiplier, c + HALF, HALF)) + load_whole(bias, c + HALF, HALF)
    middle = middle_of(y, high_code)
    rounded = round_lanes(affine_even, affine_odd, shift, zero_point - middle, low_code - middle, high_code - middle)
    return clipped(y, rounded, middle, low_code, high_code)


def moments(row: Array) -> tuple[Scalar, Scalar]:
    """Return the sum and the sum of squares in int64."""
    raise NotImplementedError("only kernels call this")


@overload(moments)
def _moments(row: Any) -> Callable[..., Any]:
    def of_16_bits(row: Any) -> Any:
        total, lower, upper = vector(np.int32, LANES_32, 0), vector(np.uint64, LANES_64, 0), vector(np.uint64, LANES_64, 0)
        tail = len(row) & (LANES_16 - 1)
        for c in range(0, len(row) - tail, LANES_16):
            sums, squares = pair_sums(load_whole(row, c, LANES_16))
            total, lower, upper = total + sums, lower + even(squares), upper + odd(squares)
        if tail:
            sums, squares = pair_sums(load(row, len(row) - tail, LANES_16, 0))
            total, lower, upper = total + sums, lower + even(squares), upper + odd(squares)
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


@device
def pair_sums(x: Scalar) -> tuple[Scalar, Scalar]:
    """Return the sums and the sums of squares of each two neighbours, of at most 16 bits."""
    v = cast(x, np.int16)
    return pair_dot(v, vector(np.int16, LANES_16, 1)), cast(pair_dot(v, v), np.uint32)
