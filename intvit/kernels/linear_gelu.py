"""Linear and the GELU behind it: a panel's codes go through GELU while they are in the first cache."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from intvit.kernels.gelu_bytes import gelu_bytes_block
from intvit.kernels.gelu_polynomial import gelu_polynomial_block
from intvit.kernels.gelu_table import gelu_table_row
from intvit.kernels.jit import Scalar, device, kernel
from intvit.kernels.simd import Level
from intvit.kernels.tiling import codes_of_rows, each_panel

Array = NDArray[Any]


@kernel(scratch=("codes",))
def linear_gelu_polynomial(
    level: Level, x: Array, packed: Array, depth: int, bias: Array, multiplier: Array,
    shift: int, zero_point: int, low: int, high: int, codes: Array, beside: Array,
    gelu_multiplier: Array, steps: Array, fraction_bits: int,
    gelu_shift: int, gelu_zero_point: int, gelu_low: int, gelu_high: int, y: Array, part: int, parts: int,
) -> None:  # fmt: skip
    """Compute `y = gelu_polynomial(linear(x))`.

    Args:
        x to high: as in `linear`.
        codes: s16 [M, columns of a tile], scratch.
        beside: as in `linear`.
        gelu_multiplier to gelu_high: as in `gelu_polynomial`.
        y: s8/s16/s32 [M, N].
    """
    rows, columns = y.shape
    numbers = (fraction_bits, gelu_shift, gelu_zero_point, gelu_low, gelu_high)
    gelu = (gelu_multiplier, steps, numbers)
    operands = (x, (packed, depth, bias, multiplier), (shift, zero_point, low, high), codes, beside, gelu, y)
    each_panel(level, rows, columns, len(bias), polynomial_panel, operands, part, parts)


@kernel(scratch=("codes",))
def linear_gelu_bytes(
    level: Level, x: Array, packed: Array, depth: int, bias: Array, multiplier: Array,
    shift: int, zero_point: int, low: int, high: int, codes: Array, beside: Array,
    gelu_multiplier: Array, table: Array, index_shift: int, bump_shift: int,
    gelu_shift: int, gelu_zero_point: int, gelu_low: int, gelu_high: int, y: Array, part: int, parts: int,
) -> None:  # fmt: skip
    """Compute `y = gelu_bytes(linear(x))`; arrays as in `linear_gelu_polynomial` and `gelu_bytes`."""
    rows, columns = y.shape
    numbers = (index_shift, bump_shift, gelu_shift, gelu_zero_point, gelu_low, gelu_high)
    gelu = (gelu_multiplier, table, numbers)
    operands = (x, (packed, depth, bias, multiplier), (shift, zero_point, low, high), codes, beside, gelu, y)
    each_panel(level, rows, columns, len(bias), bytes_panel, operands, part, parts)


@kernel(scratch=("codes", "value"))
def linear_gelu_table(
    level: Level, x: Array, packed: Array, depth: int, bias: Array, multiplier: Array,
    shift: int, zero_point: int, low: int, high: int, codes: Array, beside: Array,
    gelu_multiplier: Array, table: Array, fraction_bits: int, index_shift: int,
    gelu_shift: int, gelu_zero_point: int, gelu_low: int, gelu_high: int, value: Array, y: Array, part: int, parts: int,
) -> None:  # fmt: skip
    """Compute `y = gelu_table(linear(x))`; arrays as in `linear_gelu_polynomial` and `gelu_table`."""
    rows, columns = y.shape
    numbers = (fraction_bits, index_shift, gelu_shift, gelu_zero_point, gelu_low, gelu_high)
    gelu = (gelu_multiplier, table, numbers, value)
    operands = (x, (packed, depth, bias, multiplier), (shift, zero_point, low, high), codes, beside, gelu, y)
    each_panel(level, rows, columns, len(bias), table_panel, operands, part, parts)


@device
def polynomial_panel(
    level: Level, first: Scalar, last: Scalar, column: Scalar, width: Scalar, valid: Scalar, tile: Scalar, operands: Any
) -> None:
    """Compute rows of one panel into y."""
    x, weights, linear, codes, beside, (multiplier, steps, gelu), y = operands
    codes_of_rows(level, x, first, last, column, width, weights, linear, codes, beside, tile, y)
    end = column + valid
    gelu_polynomial_block(codes[: last - first, :valid], multiplier[column:end], steps, gelu, y[first:last, column:end])


@device
def bytes_panel(
    level: Level, first: Scalar, last: Scalar, column: Scalar, width: Scalar, valid: Scalar, tile: Scalar, operands: Any
) -> None:
    """Compute rows of one panel into y."""
    x, weights, linear, codes, beside, (multiplier, table, gelu), y = operands
    codes_of_rows(level, x, first, last, column, width, weights, linear, codes, beside, tile, y)
    end = column + valid
    gelu_bytes_block(codes[: last - first, :valid], multiplier[column:end], table, gelu, y[first:last, column:end])


@device
def table_panel(
    level: Level, first: Scalar, last: Scalar, column: Scalar, width: Scalar, valid: Scalar, tile: Scalar, operands: Any
) -> None:
    """Compute rows of one panel into y."""
    x, weights, linear, codes, beside, (multiplier, table, gelu, value), y = operands
    codes_of_rows(level, x, first, last, column, width, weights, linear, codes, beside, tile, y)
    end = column + valid
    for r in range(first, last):
        gelu_table_row(codes[r - first, :valid], multiplier[column:end], table, gelu, value, y[r, column:end])
