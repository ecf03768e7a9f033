"""Requantize: another scale, zero point and type."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from intvit.kernels.integer import clip, rescale, share
from intvit.kernels.jit import kernel

Array = NDArray[Any]


@kernel()
def requantize(
    x: Array, multiplier: Array, input_zero_point: int,
    shift: int, zero_point: int, low: int, high: int, y: Array, part: int, parts: int,
) -> None:  # fmt: skip
    """Compute `y = clip(rescale(x - input_zero_point, multiplier, shift) + zero_point)`.

    Args:
        x: [R, C], any integer type.
        multiplier: s32 [1, C] for all rows, or [R, C].
        y: [R, C].
    """
    start, stop = share(len(y), part, parts)
    for r in range(start, stop):
        row, out = x[r], y[r]
        factors = multiplier[r if len(multiplier) > 1 else 0]
        for c in range(len(out)):
            centred = np.int64(row[c]) - np.int64(input_zero_point)
            out[c] = clip(rescale(centred, factors[c], shift) + np.int64(zero_point), low, high)
