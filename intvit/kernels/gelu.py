"""What both GELU kernels share: `gelu(x) = relu(x) - bump(|x|)`, then a rescale per channel."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from intvit.kernels.integer import clip, rescale
from intvit.kernels.jit import device

Array = NDArray[Any]

VALUE_BITS, TAIL = 15, 4
"""Fraction bits of the value and the end of the bump, as in `intvit.ops.gelu`."""


@device
def near(x: int, fraction_bits: int) -> int:
    """Return `|x|` as int32, limited to just below the tail."""
    wide = np.int32(x)
    size = np.int32(max(wide, np.int32(-wide)))
    return min(size, np.int32((np.int32(TAIL) << np.int32(fraction_bits)) - 1))


@device
def relu(x: int, fraction_bits: int) -> int:
    """Return `max(x, 0)` as int32 with 15 fraction bits."""
    return np.int32(max(np.int32(x), np.int32(0)) << np.int32(VALUE_BITS - fraction_bits))


@device
def finish(value: Array, multiplier: Array, shift: int, zero_point: int, low: int, high: int, y: Array) -> None:
    """Rescale a row of s32 values per channel into codes."""
    for c in range(len(y)):
        y[c] = clip(rescale(value[c], multiplier[c], shift) + np.int64(zero_point), low, high)
