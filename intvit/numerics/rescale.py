"""The one rounding of this project: multiply, add half, shift right arithmetically, once."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from intvit.numerics.int_type import IntType

Int64 = NDArray[np.int64]


def rescale(x: NDArray[Any], multiplier: NDArray[Any] | int, shift: int) -> Int64:
    """Return `(x * multiplier + 2**(shift - 1)) >> shift` (TOSA RESCALE, single round).

    Args:
        x: integers of any shape; `x * multiplier + 2**(shift - 1)` must fit int64 (the certificate proves it).
        multiplier: integers that broadcast against `x`, below 2**31 in magnitude.
        shift: 2 to 62.

    Returns:
        int64, the broadcast shape; halves round towards plus infinity.
    """
    product = x.astype(np.int64) * np.asarray(multiplier, np.int64)
    return (product + (np.int64(1) << np.int64(shift - 1))) >> np.int64(shift)


def shift_right(x: NDArray[Any], shift: NDArray[Any] | int) -> Int64:
    """Return `floor(x / 2**shift)` as int64."""
    return x.astype(np.int64) >> np.asarray(shift, np.int64)


def saturate(x: NDArray[Any], to: IntType, low: int | None = None, high: int | None = None) -> NDArray[Any]:
    """Clip `x` to `[low, high]` (by default all of the type `to`) and narrow it to that type."""
    low = to.low if low is None else low
    high = to.high if high is None else high
    clipped: NDArray[Any] = np.clip(x, low, high)
    return clipped.astype(to.dtype)
