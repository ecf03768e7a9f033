"""Linear with 16-bit inputs, for the few rows that get them: each input's weights are added to the sums in turn."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from intvit.kernels.integer import finish
from intvit.kernels.jit import kernel

Array = NDArray[Any]


@kernel(scratch=("sums",))
def linear_wide(
    x: Array, weight: Array, bias: Array, multiplier: Array,
    shift: int, zero_point: int, low: int, high: int, sums: Array, y: Array,
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
    for row in range(len(x)):
        for column in range(len(sums)):
            sums[column] = bias[column]
        for k in range(len(weight)):
            value, weights = np.int32(x[row, k]), weight[k]
            for column in range(len(sums)):
                sums[column] = np.int32(sums[column] + np.int32(value * np.int32(weights[column])))
        finish(sums, multiplier, shift, zero_point, low, high, y[row])
