"""LayerNorm: exact sums, square root and reciprocal once a row, then one affine pass."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from intvit.kernels.integer import bit_length, clip, finish_high_half, fits_high_half, isqrt_lifted, share
from intvit.kernels.jit import Scalar, device, kernel

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
    low: int,
    high: int,
    y: Array,
    part: int,
    parts: int,
) -> None:
    """Normalize each row of `x` [R, C] into `y` [R, C]; `multiplier` s32 [C], `bias` s64 [C]."""
    half = np.int64(1) << np.int64(shift - 1)
    channels = np.int64(x.shape[1])
    start, stop = share(len(y), part, parts)
    for r in range(start, stop):
        row, out = x[r], y[r]
        total, squares = moments(row)
        variance = channels * squares - total * total + np.int64(epsilon)
        lift = (np.int64(62) - bit_length(variance)) // np.int64(2)
        root = isqrt_lifted(variance << (np.int64(2) * lift))
        reciprocal = ((np.int64(1) << np.int64(61)) - np.int64(1)) // root
        down = np.int64(61 - FRACTION_BITS) - lift
        if fits_high_half(shift, zero_point, low, high):
            for c in range(len(out)):
                affine = normal(row[c], channels, total, reciprocal, down) * np.int64(multiplier[c]) + bias[c]
                out[c] = finish_high_half(affine + half, shift, zero_point, low, high)
        else:
            for c in range(len(out)):
                affine = normal(row[c], channels, total, reciprocal, down) * np.int64(multiplier[c]) + bias[c]
                out[c] = clip(((affine + half) >> np.int64(shift)) + np.int64(zero_point), low, high)


@device
def normal(x: Scalar, channels: Scalar, total: Scalar, reciprocal: Scalar, down: Scalar) -> Scalar:
    """Return the normalized value with 20 fraction bits; it, `channels * x - total` and the reciprocal fit s32."""
    centred = np.int32(channels * np.int64(x) - total)
    return np.int64(np.int32((np.int64(centred) * np.int64(np.int32(reciprocal))) >> down))


@device
def moments(row: Array) -> tuple[Scalar, Scalar]:
    """Return the sum and the sum of squares in int64."""
    total, squares = np.int64(0), np.int64(0)
    for c in range(len(row)):
        value = np.int64(row[c])
        total += value
        squares += value * value
    return total, squares
