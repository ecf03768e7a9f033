"""Add: two tensors of one shape at a third scale, with one rounding."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from intvit.kernels.integer import clip, share
from intvit.kernels.jit import Scalar, device, kernel

Array = NDArray[Any]


@kernel()
def add(
    a: Array, b: Array, multiplier_a: int, multiplier_b: int,
    shift: int, zero_point: int, low: int, high: int, y: Array, part: int, parts: int,
) -> None:  # fmt: skip
    """Compute `y = clip(((a multiplier_a + b multiplier_b + 2**(shift-1)) >> shift) + zero_point)` over flat arrays."""
    start, stop = share(len(y), part, parts)
    add_row(a[start:stop], b[start:stop], multiplier_a, multiplier_b, shift, zero_point, low, high, y[start:stop])


@device
def add_row(
    a: Array, b: Array, multiplier_a: Scalar, multiplier_b: Scalar,
    shift: Scalar, zero_point: Scalar, low: Scalar, high: Scalar, y: Array,
) -> None:  # fmt: skip
    """Add as many elements as y has."""
    half = np.int64(1) << np.int64(shift - 1)
    for i in range(len(y)):
        total = np.int64(a[i]) * np.int64(multiplier_a) + np.int64(b[i]) * np.int64(multiplier_b)
        y[i] = clip(((total + half) >> np.int64(shift)) + np.int64(zero_point), low, high)
