"""SoftmaxTable: exponentials read from a table."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from intvit.kernels.integer import share
from intvit.kernels.jit import Scalar, device, kernel
from intvit.kernels.softmax_exp import LOWEST, distances, row_max
from intvit.kernels.vector import LANES_32, load, store

Array = NDArray[Any]


@kernel(scratch=("distance",))
def softmax_table(
    x: Array, multiplier: Array, shift: int, table: Array, distance: Array, e: Array, row_sum: Array, part: int, parts: int
) -> None:
    """Compute `e = table[distance]` and its sum for each row; arrays as in `softmax_rows`, `table` u8 [L]."""
    start, stop = share(len(e), part, parts)
    for r in range(start, stop):
        row_sum[r] = table_row(x[r], multiplier[r], shift, table, distance, e[r])


@device
def table_row(x: Array, multiplier: Scalar, shift: Scalar, table: Array, distance: Array, e: Array) -> Scalar:
    """Write the exponentials of a row and return their sum; `distance` s32, as long as the row, may be the row itself."""
    top = row_max(x)
    for c in range(0, len(x), LANES_32):
        store(distance, c, distances(load(x, c, LANES_32, LOWEST), top, multiplier, shift, shift, len(table) - 1))
    total = np.int32(0)
    for c in range(len(x)):
        value = table[distance[c]]
        total = np.int32(total + np.int32(value))
        e[c] = value
    return total
