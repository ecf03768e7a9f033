"""SoftmaxDivide: one integer division a row, one multiplication an element."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from intvit.kernels.integer import finish_lanes, share
from intvit.kernels.jit import Scalar, device, kernel
from intvit.kernels.lanes import even, odd
from intvit.kernels.vector import LANES_32, cast, load, store

Array = NDArray[Any]


@kernel()
def softmax_divide(
    x: Array, row_sum: Array, numerator: Array,
    shift: int, zero_point: int, low: int, high: int, y: Array, part: int, parts: int,
) -> None:  # fmt: skip
    """Compute `y = clip(rescale(x, numerator // row_sum, shift) + zero_point)`.

    Args:
        x: u8/s32 [R, C].
        row_sum: s32 [R], positive; numerator: s64 [R], non-negative; their quotient fits s32.
        shift: of the rescale.
        zero_point, low, high: of the output.
        y: [R, C].
    """
    start, stop = share(len(y), part, parts)
    for r in range(start, stop):
        divide_row(x[r], row_factor(numerator[r], row_sum[r]), shift, zero_point, low, high, y[r])


@device
def row_factor(numerator: Scalar, row_sum: Scalar) -> Scalar:
    """Return their quotient; neither is negative."""
    return np.int64(np.uint64(numerator) // np.uint64(row_sum))


@device
def divide_row(x: Array, factor: Scalar, shift: Scalar, zero_point: Scalar, low: Scalar, high: Scalar, y: Array) -> None:
    """Rescale one row, cut to the length of `y`, by an s32 `factor`."""
    narrow = np.int64(np.int32(factor))
    for c in range(0, len(y), LANES_32):
        v = cast(load(x, c, LANES_32, 0), np.int32)
        store(y, c, finish_lanes(even(v) * narrow, odd(v) * narrow, shift, zero_point, low, high))
