"""The softmaxes that end in probabilities: whatever the family, exponentials are read from a table made of the operator."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from intvit.kernels.integer import share
from intvit.kernels.jit import Scalar, device, kernel
from intvit.kernels.softmax_divide import row_factor

Array = NDArray[Any]

SUM_LIMIT = (1 << 31) - 1
"""Row sums count as at most this much, as in `intvit.ops.softmax_normalized`."""


@kernel(scratch=("e",))
def softmax_normalized(
    x: Array, table: Array, numerator: int, shift: int, top: int, e: Array, y: Array, part: int, parts: int
) -> None:
    """Compute `y = min((e * (numerator // min(sum of e, 2^31 - 1))) >> shift, top)` for each row, with `e = table[rowmax - x]`.

    Args:
        x: s8/s16 [R, C].
        table: s32, an entry for each distance of two codes, none negative, the first positive.
        numerator, shift, top: of the operator; products of an exponential and a row's quotient fit s64.
        e: s32 [C], scratch.
        y: s8/s16 [R, C].
    """
    start, stop = share(len(y), part, parts)
    for r in range(start, stop):
        total = read_exponentials(x[r], table, e)
        scale_row(e, row_factor(numerator, min(total, np.int64(SUM_LIMIT))), shift, top, y[r])


@device
def read_exponentials(x: Array, table: Array, e: Array) -> Scalar:
    """Write the exponentials of a row and return their sum."""
    highest = x[0]
    for c in range(len(x)):
        highest = max(highest, x[c])
    total = np.int64(0)
    for c in range(len(x)):
        value = table[np.int64(highest) - np.int64(x[c])]
        e[c] = value
        total += np.int64(value)
    return total


@device
def scale_row(e: Array, factor: Scalar, shift: Scalar, top: Scalar, y: Array) -> None:
    """Write the probabilities of a row."""
    for c in range(len(y)):
        y[c] = min((np.int64(e[c]) * factor) >> np.int64(shift), np.int64(top))
