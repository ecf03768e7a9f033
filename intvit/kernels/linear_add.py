"""Linear and the Add behind it: a panel's codes meet the residual stream while they are in the first cache."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from intvit.kernels.add import add_rows
from intvit.kernels.jit import Scalar, device, kernel
from intvit.kernels.simd import Level
from intvit.kernels.tiling import codes_of_rows, each_panel

Array = NDArray[Any]


@kernel(scratch=("codes",))
def linear_add(
    level: Level, x: Array, packed: Array, depth: int, bias: Array, multiplier: Array,
    shift: int, zero_point: int, low: int, high: int, codes: Array, beside: Array,
    residual: Array, residual_multiplier: int, codes_multiplier: int,
    add_shift: int, add_zero_point: int, add_low: int, add_high: int, y: Array, part: int, parts: int,
) -> None:  # fmt: skip
    """Compute `y = add(residual, linear(x))`.

    Args:
        x to high: as in `linear`.
        codes: of `linear`'s output type [M, columns of a tile], scratch.
        beside: as in `linear`.
        residual: [M, N], any integer type; it and the codes are added as in `add`.
        y: s8/s16/s32 [M, N].
    """
    rows, columns = y.shape
    addition = (residual_multiplier, codes_multiplier, add_shift, add_zero_point, add_low, add_high)
    operands = (x, (packed, depth, bias, multiplier), (shift, zero_point, low, high), codes, beside, residual, addition, y)
    each_panel(level, rows, columns, len(bias), linear_add_panel, operands, part, parts)


@device
def linear_add_panel(
    level: Level, first: Scalar, last: Scalar, column: Scalar, width: Scalar, valid: Scalar, tile: Scalar, operands: Any
) -> None:
    """Compute rows of one panel into y."""
    x, weights, numbers, codes, beside, residual, addition, y = operands
    codes_of_rows(level, x, first, last, column, width, weights, numbers, codes, beside, tile, residual)
    residual_multiplier, codes_multiplier, shift, zero_point, low, high = addition
    end = column + valid
    add_rows(
        residual[first:last, column:end], codes[: last - first, :valid], residual_multiplier, codes_multiplier,
        shift, zero_point, low, high, y[first:last, column:end],
    )  # fmt: skip
