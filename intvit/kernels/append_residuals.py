"""AppendResiduals: 16-bit codes cut to 8 bits, and behind them what the cut left over of some channels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from intvit.kernels.integer import share
from intvit.kernels.jit import Scalar, device, kernel
from intvit.kernels.vector import LANES_16, larger, load, smaller, store, vector

Array = NDArray[Any]


@kernel(scratch=("left",))
def append_residuals(x: Array, bits: int, channels: Array, left: Array, y: Array, part: int, parts: int) -> None:
    """Write coarse codes and the residuals of some channels.

    Args:
        x: s16 [R, K].
        bits: how many are cut.
        channels: s32 [C], in [0, K).
        left: u8 [K], scratch.
        y: u8 [R, K + C].
    """
    start, stop = share(len(y), part, parts)
    width = x.shape[1]
    for r in range(start, stop):
        out = y[r]
        cut_row(x[r], bits, left, out[:width])
        picked = out[width:]
        for c in range(len(channels)):
            picked[c] = left[np.uint32(channels[c])]


@device
def cut_row(x: Array, bits: Scalar, left: Array, coarse: Array) -> None:
    """Cut a row; what is left over fits 16 bits, as coarse codes are never negative and large only where x is."""
    half = np.int64(1) << np.int64(bits - 1)
    none, top = vector(np.int16, LANES_16, 0), vector(np.int16, LANES_16, 255)
    for k in range(0, len(x), LANES_16):
        codes = load(x, k, LANES_16, 0)
        rounded = (codes >> bits) + ((codes >> (bits - 1)) & 1)
        cut = larger(smaller(rounded, top), none)
        store(coarse, k, cut)
        rest = smaller(codes - (cut << bits), top - half) + half
        store(left, k, larger(rest, none))
