"""SoftmaxTable: exponentials read from a table."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from intvit.kernels.integer import share
from intvit.kernels.jit import kernel
from intvit.kernels.softmax_exp import distances, total

Array = NDArray[Any]


@kernel(scratch=("distance",))
def softmax_table(
    x: Array, multiplier: Array, shift: int, table: Array, distance: Array, e: Array, row_sum: Array, part: int, parts: int
) -> None:
    """Compute `e = table[distance]` and its sum for each row; arrays as in `softmax_polynomial`, `table` u8 [L]."""
    start, stop = share(len(e), part, parts)
    for r in range(start, stop):
        distances(x[r], multiplier[r], shift, len(table) - 1, distance)
        out = e[r]
        for c in range(len(out)):
            out[c] = table[distance[c]]
        row_sum[r] = total(out)
