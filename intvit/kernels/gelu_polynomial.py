"""GeluPolynomial: the bump as `u w^4 q(w)`, all in int32."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from intvit.kernels.gelu import near, relu
from intvit.kernels.integer import finish, share, shift_left
from intvit.kernels.jit import Scalar, device, kernel

Array = NDArray[Any]

UNIT_BITS, COEFFICIENT_BITS = 15, 12
"""Fraction bits of u and w, and of the coefficients, as in `intvit.ops.gelu_polynomial`."""


@kernel(scratch=("value",))
def gelu_polynomial(
    x: Array, multiplier: Array, coefficients: Array, fraction_bits: int,
    shift: int, zero_point: int, low: int, high: int, value: Array, y: Array, part: int, parts: int,
) -> None:  # fmt: skip
    """Compute GELU and requantize it.

    Args:
        x: s16 [R, C].
        multiplier: s32 [C], non-negative.
        coefficients: s32 [4], constant term first.
        value: s32 [C], scratch.
        y: [R, C].
    """
    start, stop = share(len(y), part, parts)
    for r in range(start, stop):
        gelu_polynomial_row(x[r], multiplier, coefficients, (fraction_bits, shift, zero_point, low, high), value, y[r])


@device
def gelu_polynomial_row(x: Array, multiplier: Array, coefficients: Array, numbers: Any, value: Array, y: Array) -> None:
    """Compute as many elements as y has; `numbers` are fraction_bits, shift, zero_point, low and high."""
    fraction_bits, shift, zero_point, low, high = numbers
    gelu_values(x, coefficients, fraction_bits, value)
    finish(value, multiplier, shift, zero_point, low, high, y)


@device
def gelu_values(x: Array, coefficients: Array, fraction_bits: Scalar, value: Array) -> None:
    """Write `2**15 gelu(x)` as s32; every product fits s32."""
    c0, c1, c2, c3 = coefficients[0], coefficients[1], coefficients[2], coefficients[3]
    for c in range(len(x)):
        u = shift_left(near(x[c], fraction_bits), UNIT_BITS - 2 - fraction_bits)
        w = np.int32(np.int32(1 << UNIT_BITS) - u)
        q = np.int32(_times(_times(_times(c3, w) + c2, w) + c1, w) + c0)
        w2 = _times(w, w)
        product = np.int32(_times(u, _times(w2, w2)) * q)
        value[c] = np.int32(relu(x[c], fraction_bits) - (product >> np.int32(COEFFICIENT_BITS)))


@device
def _times(a: Scalar, b: Scalar) -> Scalar:
    return np.int32(np.int32(np.int32(a) * np.int32(b)) >> np.int32(UNIT_BITS))
