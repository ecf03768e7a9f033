"""SoftmaxDivide: one integer division a row, one multiplication an element."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from intvit.kernels.integer import clip, finish_high_half, fits_high_half, rescale, share
from intvit.kernels.jit import Scalar, device, kernel

Array = NDArray[Any]


@kernel()
def softmax_divide(
    x: Array,
    row_sum: Array,
    numerator: Array,
    shift: int,
    zero_point: int,
    low: int,
    high: int,
    y: Array,
    part: int,
    parts: int,
) -> None:
    """Compute `y = clip(rescale(x, numerator // row_sum, shift) + zero_point)`.

    Args:
        x: u8/s32 [R, C].
        row_sum: s32 [R], positive; numerator: s64 [R], non-negative; their quotient fits s32.
        y: [R, C].
    """
    start, stop = share(len(y), part, parts)
    for r in range(start, stop):
        divide_row(x[r], numerator[r] // np.int64(row_sum[r]), shift, zero_point, low, high, y[r])


@device
def divide_row(x: Array, factor: Scalar, shift: Scalar, zero_point: Scalar, low: Scalar, high: Scalar, y: Array) -> None:
    """Rescale one row by an s32 `factor`."""
    narrow = np.int32(factor)
    if fits_high_half(shift, zero_point, low, high):
        half = np.int64(1) << np.int64(shift - 1)
        for c in range(len(y)):
            y[c] = finish_high_half(np.int64(x[c]) * np.int64(narrow) + half, shift, zero_point, low, high)
    else:
        for c in range(len(y)):
            y[c] = clip(rescale(x[c], narrow, shift) + np.int64(zero_point), low, high)
