"""Linear with 16-bit inputs, for the few rows that get them: four inputs' weights at a time are added to the sums."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from intvit.kernels.integer import finish, share
from intvit.kernels.jit import Scalar, device, kernel
from intvit.kernels.tile import copy_row

Array = NDArray[Any]


@kernel(scratch=("sums",))
def linear_wide(
    x: Array, weight: Array, bias: Array, multiplier: Array,
    shift: int, zero_point: int, low: int, high: int, sums: Array, y: Array, part: int, parts: int,
) -> None:  # fmt: skip
    """Compute `y = clip(rescale(x @ weight + bias, multiplier, shift) + zero_point)`.

    Args:
        x: u8/s8/s16 [M, K].
        weight: s8 [K, N].
        bias: s32 [N].
        multiplier: s32 [N].
        sums: s32 [N], scratch.
        y: s8/s16/s32 [M, N]; u8 and u16 codes are written by their bits.
    """
    start, stop = share(len(bias), part, parts)
    own = sums[start:stop]
    whole = len(weight) & ~3
    for row in range(len(x)):
        copy_row(bias[start:stop], own)
        for k in range(0, whole, 4):
            add_four(x[row, k : k + 4], weight[k : k + 4, start:stop], own)
        for k in range(whole, len(weight)):
            add_one(x[row, k], weight[k, start:stop], own)
        finish(own, multiplier[start:stop], shift, zero_point, low, high, y[row, start:stop])


@device
def add_four(x: Array, weight: Array, sums: Array) -> None:
    """Add four inputs' products to the sums, which are read and written once for all four."""
    x0, x1, x2, x3 = np.int32(x[0]), np.int32(x[1]), np.int32(x[2]), np.int32(x[3])
    w0, w1, w2, w3 = weight[0], weight[1], weight[2], weight[3]
    for c in range(len(sums)):
        first = np.int32(np.int32(x0 * np.int32(w0[c])) + np.int32(x1 * np.int32(w1[c])))
        second = np.int32(np.int32(x2 * np.int32(w2[c])) + np.int32(x3 * np.int32(w3[c])))
        sums[c] = np.int32(sums[c] + np.int32(first + second))


@device
def add_one(x: Scalar, weight: Array, sums: Array) -> None:
    """Add one input's products to the sums."""
    value = np.int32(x)
    for c in range(len(sums)):
        sums[c] = np.int32(sums[c] + np.int32(value * np.int32(weight[c])))
