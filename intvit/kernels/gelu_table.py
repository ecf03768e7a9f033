"""GeluTable: `relu(x)` less the bump, which is read from a table."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from intvit.kernels.gelu import TAIL, VALUE_BITS
from intvit.kernels.integer import finish, share, shift_left, shift_right
from intvit.kernels.jit import Scalar, device, kernel

Array = NDArray[Any]


@kernel(scratch=("value",))
def gelu_table(
    x: Array, multiplier: Array, table: Array, fraction_bits: int, index_shift: int,
    shift: int, zero_point: int, low: int, high: int, value: Array, y: Array, part: int, parts: int,
) -> None:  # fmt: skip
    """Compute GELU and requantize it; arrays as in `gelu_polynomial`, `table` s16 with 15 fraction bits."""
    start, stop = share(len(y), part, parts)
    for r in range(start, stop):
        gelu_table_row(x[r], multiplier, table, (fraction_bits, index_shift, shift, zero_point, low, high), value, y[r])


@device
def gelu_table_row(x: Array, multiplier: Array, table: Array, numbers: Any, value: Array, y: Array) -> None:
    """Compute as many elements as y has; `numbers` are fraction_bits, index_shift, shift, zero_point, low and high."""
    fraction_bits, index_shift, shift, zero_point, low, high = numbers
    for c in range(len(y)):
        bump = np.int32(table[shift_right(near(x[c], fraction_bits), index_shift)])
        value[c] = np.int32(relu(x[c], fraction_bits) - bump)
    finish(value, multiplier, shift, zero_point, low, high, y)


@device
def near(x: Scalar, fraction_bits: Scalar) -> Scalar:
    """Return `|x|` as int32, limited to just below the tail."""
    wide = np.int32(x)
    size = np.int32(max(wide, np.int32(-wide)))
    return min(size, np.int32(shift_left(TAIL, fraction_bits) - 1))


@device
def relu(x: Scalar, fraction_bits: Scalar) -> Scalar:
    """Return `max(x, 0)` as int32 with 15 fraction bits."""
    return shift_left(max(np.int32(x), np.int32(0)), VALUE_BITS - fraction_bits)
