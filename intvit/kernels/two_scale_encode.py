"""TwoScaleEncode: rescale, then keep the last bits of small values and the first bits of large ones."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from intvit.kernels.integer import clip, rescale, share
from intvit.kernels.jit import kernel

Array = NDArray[Any]


@kernel()
def two_scale_encode(
    x: Array, bits: int, coarse_shift: int, multiplier: int, shift: int, zero_point: int, y: Array, part: int, parts: int
) -> None:
    """Compute two-scale codes.

    Args:
        x: [R, C], at most 32 bits.
        bits, coarse_shift: of the codes.
        multiplier, shift, zero_point: of the rescale.
        y: 8 bits [R, C].
    """
    start, stop = share(len(y), part, parts)
    half = np.int64(1) << np.int64(bits - 1)
    round_up, top = np.int64(1) << np.int64(coarse_shift - 1), (half - 1) << coarse_shift
    for r in range(start, stop):
        row, out = x[r], y[r]
        for c in range(len(out)):
            v = clip(rescale(row[c], multiplier, shift) + np.int64(zero_point), 0, top)
            out[c] = v if v < half else half + ((v + round_up) >> coarse_shift)
