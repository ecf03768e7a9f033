"""Whether the sums of a linear layer can be rescaled while they are still in registers."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from intvit import ops
from intvit.ir import TensorType
from intvit.kernels.codes_ir import fits_high_half
from intvit.numerics import S32, IntType


def rescales_in_tile(op: ops.Linear, x: IntType, weight: TensorType, bias: NDArray[Any]) -> bool:
    """Whether the high halves of the products with multipliers are enough, for any inputs and weights [K, C] of these types.

    Sums are no larger than s32, as the certificate proves.
    """
    largest = weight.shape[0] * ((1 << x.bits) - 1) * -weight.dtype.low + max(abs(int(bias.min())), abs(int(bias.max())))
    return fits_high_half(min(largest, S32.high), op.shift, op.zero_point, op.low, op.high)
