"""Whether the sums of a linear layer can be rescaled while they are still in registers."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from intvit import ops
from intvit.kernels.codes_ir import fits_high_half
from intvit.numerics import S8, U8


def rescales_in_tile(op: ops.Linear, depth: int, bias: NDArray[Any]) -> bool:
    """Whether the high halves of the products with multipliers are enough, for any 8-bit input and any weights."""
    largest = depth * U8.high * -S8.low + max(abs(int(bias.min())), abs(int(bias.max())))
    return fits_high_half(largest, op.shift, op.zero_point, op.low, op.high)
