"""What both softmax kernels share: a row's maximum, and the distances to it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from intvit.kernels.jit import Scalar, device
from intvit.kernels.lanes import even, join, odd
from intvit.kernels.vector import LANES_32, cast, larger, load, max_lanes, smaller

Array = NDArray[Any]

LOWEST = -(1 << 31)
"""What counts for the elements beyond a row's end."""


@device
def row_max(x: Array) -> Scalar:
    """Return the maximum of a row of s32."""
    top = load(x, 0, LANES_32, LOWEST)
    for c in range(LANES_32, len(x), LANES_32):
        top = larger(top, load(x, c, LANES_32, LOWEST))
    return max_lanes(top)


@device
def distances(x: Scalar, top: Scalar, multiplier: Scalar, shift: Scalar, down: Scalar, limit: Scalar) -> Scalar:
    """Return `((top - x) * multiplier + 2**(shift - 1)) >> down` of s32 lanes as u32, at most `limit`."""
    factor = np.int64(np.int32(multiplier))
    start = np.int64(top) * factor + (np.int64(1) << np.int64(shift - 1))
    return join(
        smaller(cast(start - even(x) * factor, np.uint64) >> down, limit),
        smaller(cast(start - odd(x) * factor, np.uint64) >> down, limit),
    )
