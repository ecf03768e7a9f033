"""Mean: sums over the leading axis, rescaled."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from intvit.kernels.integer import clip, rescale
from intvit.kernels.jit import kernel

Array = NDArray[Any]


@kernel(scratch=("sums",))
def mean(x: Array, multiplier: int, shift: int, zero_point: int, low: int, high: int, sums: Array, y: Array) -> None:
    """Compute `y = clip(rescale(sum over r of x[r], multiplier, shift) + zero_point)`.

    Args:
        x: [R, C], at most 16 bits.
        sums: s32 [C], scratch.
        y: [C].
    """
    sums[:] = 0
    for r in range(len(x)):
        row = x[r]
        for c in range(len(y)):
            sums[c] = np.int32(sums[c] + np.int32(row[c]))
    for c in range(len(y)):
        y[c] = clip(rescale(sums[c], multiplier, shift) + np.int64(zero_point), low, high)
