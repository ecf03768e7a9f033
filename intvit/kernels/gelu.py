"""What both GELU kernels share: `gelu(x) = relu(x) - bump(|x|)`, then a rescale per channel."""

from __future__ import annotations

import numpy as np

from intvit.kernels.integer import shift_left
from intvit.kernels.jit import Scalar, device

VALUE_BITS, TAIL = 15, 4
"""Fraction bits of the value and the end of the bump, as in `intvit.ops.gelu`."""


@device
def near(x: Scalar, fraction_bits: Scalar) -> Scalar:
    """Return `|x|` as int32, limited to just below the tail."""
    wide = np.int32(x)
    size = np.int32(max(wide, np.int32(-wide)))
    return min(size, np.int32(shift_left(TAIL, fraction_bits) - 1))


@device
def relu(x: Scalar, fraction_bits: Scalar) -> Scalar:
    """Return `max(x, 0)` as int32 with 15 fraction bits."""
    return shift_left(max(np.int32(x), np.int32(0)), VALUE_BITS - fraction_bits)
