"""What both softmax kernels share: distances to the row's maximum, and the sum of the exponentials."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from intvit.kernels.jit import Scalar, device

Array = NDArray[Any]


@device
def distances(x: Array, multiplier: Scalar, shift: Scalar, limit: Scalar, distance: Array) -> None:
    """Write `min(rescale(max(x) - x, multiplier, shift), limit)` as s32, for a row of s32; limit below 2**31."""
    top = x[0]
    for c in range(len(x)):
        top = max(top, x[c])
    factor = np.int64(np.uint32(multiplier))
    half = np.int64(1) << np.int64(shift - 1)
    for c in range(len(x)):
        below = np.int64(np.uint32(np.int64(top) - np.int64(x[c])))
        distance[c] = min((below * factor + half) >> np.int64(shift), np.int64(limit))


@device
def total(e: Array) -> Scalar:
    """Return the sum of a row of u8 as int32."""
    result = np.int32(0)
    for c in range(len(e)):
        result = np.int32(result + np.int32(e[c]))
    return result
