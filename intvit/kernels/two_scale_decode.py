"""TwoScaleDecode: the values of two-scale codes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from intvit.kernels.integer import share
from intvit.kernels.jit import kernel
from intvit.kernels.two_scale import decoded

Array = NDArray[Any]


@kernel()
def two_scale_decode(x: Array, bits: int, coarse_shift: int, y: Array, part: int, parts: int) -> None:
    """Compute the values y, s16 [R, C], of codes x, u8 [R, C]."""
    start, stop = share(len(y), part, parts)
    half = np.int64(1) << np.int64(bits - 1)
    for r in range(start, stop):
        row, out = x[r], y[r]
        for c in range(len(out)):
            out[c] = decoded(row[c], half, coarse_shift)
