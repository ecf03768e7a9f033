"""SoftmaxTwoScale: two-scale codes of exponentials, read from a table."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from intvit.kernels.integer import share
from intvit.kernels.jit import kernel
from intvit.kernels.softmax_exp import LOWEST, distances, row_max
from intvit.kernels.two_scale import decoded
from intvit.kernels.vector import LANES_32, load, store

Array = NDArray[Any]


@kernel(scratch=("distance",))
def softmax_two_scale(
    x: Array, multiplier: Array, shift: int, table: Array, bits: int, coarse_shift: int,
    distance: Array, e: Array, row_sum: Array, part: int, parts: int,
) -> None:  # fmt: skip
    """Compute `e = table[distance]` and the sum of the codes' values for each row.

    Args:
        x: s32 [R, C].
        multiplier: s32 [R].
        shift: of the distance.
        table: u8 [L], codes.
        bits, coarse_shift: of the codes.
        distance: s32 [C].
        e: u8 [R, C].
        row_sum: s32 [R].
    """
    start, stop = share(len(e), part, parts)
    half = np.int64(1) << np.int64(bits - 1)
    for r in range(start, stop):
        row, out = x[r], e[r]
        top = row_max(row)
        for c in range(0, len(row), LANES_32):
            store(distance, c, distances(load(row, c, LANES_32, LOWEST), top, multiplier[r], shift, shift, len(table) - 1))
        total = np.int64(0)
        for c in range(len(row)):
            code = table[distance[c]]
            total += decoded(code, half, coarse_shift)
            out[c] = code
        row_sum[r] = total
