"""GeluShift: the row's maximum, then one look-up an element."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from intvit.kernels.integer import finish, share
from intvit.kernels.jit import kernel

Array = NDArray[Any]

CODES = 256
"""Codes of the input; the smallest is -128."""


@kernel(scratch=("value",))
def gelu_shift(
    x: Array, multiplier: Array, table: Array,
    shift: int, zero_point: int, low: int, high: int, value: Array, y: Array, part: int, parts: int,
) -> None:  # fmt: skip
    """Compute GELU and requantize it.

    Args:
        x: s8 [R, C], all channels of each row.
        multiplier: s32 [C], non-negative.
        table: s32 [256, 256]: GELU before it is requantized, by the row's maximum and the code, both plus 128.
        shift, zero_point, low, high: of the output.
        value: s32 [C], scratch.
        y: the codes [R, C].
    """
    start, stop = share(len(y), part, parts)
    for r in range(start, stop):
        row, top = x[r], np.int64(-CODES // 2)
        for c in range(len(row)):
            top = max(top, np.int64(row[c]))
        values = table[top + CODES // 2]
        for c in range(len(row)):
            value[c] = values[np.int64(row[c]) + CODES // 2]
        finish(value, multiplier, shift, zero_point, low, high, y[r])
