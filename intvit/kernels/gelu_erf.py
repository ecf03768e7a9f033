"""GeluErf: a clipped square or fourth power in 64 bits, then a per-channel requantization."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from intvit.kernels.integer import finish, share
from intvit.kernels.jit import kernel

Array = NDArray[Any]


@kernel(scratch=("value",))
def gelu_erf(
    x: Array, multiplier: Array, power: int, knee: int, one: int, erf_shift: int,
    shift: int, zero_point: int, low: int, high: int, value: Array, y: Array, part: int, parts: int,
) -> None:  # fmt: skip
    """Compute GELU and requantize it.

    Args:
        x: s8 or s16 [R, C].
        multiplier: s32 [C], non-negative.
        power, knee, one, erf_shift: as in `intvit.ops.gelu_erf`.
        shift, zero_point, low, high: of the output.
        value: s32 [C], scratch.
        y: the codes [R, C].
    """
    start, stop = share(len(y), part, parts)
    for r in range(start, stop):
        row = x[r]
        for c in range(len(row)):
            code = np.int64(row[c])
            size = abs(code)
            z = max(knee - size, np.int64(0))
            square = z * z
            t = (square * square if power == 4 else square) >> erf_shift
            value[c] = np.int32(code * one + size * (one - t))
        finish(value, multiplier, shift, zero_point, low, high, y[r])
