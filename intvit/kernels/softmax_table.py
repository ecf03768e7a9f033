"""SoftmaxTable: exponentials read from a table."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from intvit.kernels.jit import kernel
from intvit.kernels.softmax_exp import distances, total

Array = NDArray[Any]


@kernel()
def softmax_table(x: Array, multiplier: Array, shift: int, table: Array, distance: Array, e: Array, row_sum: Array) -> None:
    """Compute `e = table[distance]` and its sum for each row; arrays as in `softmax_polynomial`, `table` u8 [L]."""
    for r in range(len(e)):
        distances(x[r], multiplier[r], shift, len(table) - 1, distance)
        out = e[r]
        for c in range(len(out)):
            out[c] = table[distance[c]]
        row_sum[r] = total(out)
