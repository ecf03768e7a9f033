"""GeluTable: the bump read from a table."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from intvit.kernels.gelu import near, relu
from intvit.kernels.integer import finish, shift_right
from intvit.kernels.jit import kernel

Array = NDArray[Any]


@kernel()
def gelu_table(
    x: Array, multiplier: Array, table: Array, fraction_bits: int, index_shift: int,
    shift: int, zero_point: int, low: int, high: int, value: Array, y: Array,
) -> None:  # fmt: skip
    """Compute GELU and requantize it; arrays as in `gelu_polynomial`, `table` s16 with 15 fraction bits."""
    for r in range(len(y)):
        row = x[r]
        for c in range(len(row)):
            bump = np.int32(table[shift_right(near(row[c], fraction_bits), index_shift)])
            value[c] = np.int32(relu(row[c], fraction_bits) - bump)
        finish(value, multiplier, shift, zero_point, low, high, y[r])
