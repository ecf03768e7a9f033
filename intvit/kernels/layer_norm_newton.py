"""LayerNormNewton: mean and Newton's root once a row, then one affine pass."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from intvit.kernels.integer import clip, share
from intvit.kernels.jit import Scalar, device, kernel

Array = NDArray[Any]

STEPS, START_BITS, NUMERATOR = 10, 16, (1 << 31) - 1
"""As in `intvit.ops.layer_norm_newton`."""


@kernel()
def layer_norm_newton(
    x: Array, multiplier: Array, bias: Array,
    shift: int, zero_point: int, low: int, high: int, y: Array, part: int, parts: int,
) -> None:  # fmt: skip
    """Normalize each row of `x` [R, C] into `y` [R, C].

    Args:
        x: of at most 32 bits.
        multiplier: s32 [C]; bias: s64 [C].
        shift, zero_point, low, high: of the output.
        y: the codes.
    """
    start, stop = share(len(y), part, parts)
    half = np.int64(1) << np.int64(shift - 1)
    for r in range(start, stop):
        row, out = x[r], y[r]
        mean = rounded_mean(row)
        factor = np.int64(NUMERATOR) // newton_root(row, mean)
        for c in range(len(out)):
            z = ((np.int64(row[c]) - mean) * factor) >> np.int64(1)
            total = z * np.int64(multiplier[c]) + bias[c] + half
            out[c] = clip((total >> np.int64(shift)) + np.int64(zero_point), low, high)


@device
def rounded_mean(row: Array) -> Scalar:
    """Return the mean of a row, halves to even."""
    channels, total = np.int64(len(row)), np.int64(0)
    for c in range(len(row)):
        total += np.int64(row[c])
    mean = total // channels
    twice = np.int64(2) * (total - mean * channels)
    return mean + np.int64(twice > channels or (twice == channels and mean & np.int64(1) == 1))


@device
def newton_root(row: Array, mean: Scalar) -> Scalar:
    """Return ten Newton steps from 2^16 towards the root of the sum of squared distances from the mean."""
    v = np.int64(0)
    for c in range(len(row)):
        d = np.int64(row[c]) - mean
        v += d * d
    k = np.int64(1 << START_BITS)
    for _ in range(STEPS):
        k = (k + v // k) >> np.int64(1)
    return k
