"""The exponentials of a softmax whose division by the row sum is deferred past the product with the values."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intvit.numerics import common_shift
from intvit.numerics.dyadic import MAX_SHIFT
from intvit.ops import SoftmaxOctave, SoftmaxPolynomial, SoftmaxPolynomialWide, SoftmaxTable
from intvit.ops.softmax_octave import PRODUCT_SHIFT, STEPS, octave
from intvit.ops.softmax_polynomial import CUBIC, FRACTION_BITS, scaled_cubic
from intvit.ops.softmax_polynomial_wide import WIDE_VALUE_BITS
from intvit.quantize.focused import Focus

Array = NDArray[Any]
TABLE_ENTRIES = 4096
TABLE_STEPS = 512
"""Entries of the exponential's table for each factor of e."""
UNITS = {
    "octave": math.log2(math.e) * STEPS,
    "polynomial": math.log2(math.e) * (1 << FRACTION_BITS),
    "table": float(TABLE_STEPS),
}
"""Steps of the exponent for each factor of e, by family."""


def score_multipliers(scale: Array, units: float, max_shift: int = MAX_SHIFT) -> tuple[Array, int]:
    """Return multipliers, s32, and a shift that make distances of scores of some scale count `units` for each factor of e."""
    multipliers, shift = common_shift([Fraction(float(s) * units) for s in scale.reshape(-1)], max_shift=max_shift)
    return np.array(multipliers, np.int32).reshape(scale.shape[1:] if scale.ndim > 1 else scale.shape), shift


def exponential(
    family: str, scale: Array, top: int, wide: bool = False
) -> tuple[SoftmaxOctave | SoftmaxPolynomial | SoftmaxTable, dict[str, Array], int]:
    """Return the operator of a family, its constants by name, and the code of each row's largest exponential.

    Args:
        family: `octave`, `polynomial` or `table`.
        scale: the real value of one step of the scores, float64 [1, ..., 1, 1], 1 along the rows.
        top: that code, if it has 8 bits.
        wide: whether `octave` and `polynomial` give 14 bits, by a polynomial.
    """
    if wide and family != "table":
        multipliers, shift = score_multipliers(scale, UNITS["polynomial"])
        return SoftmaxPolynomialWide(shift=shift, coefficients=CUBIC), {"multiplier": multipliers}, CUBIC[0] >> WIDE_VALUE_BITS
    multipliers, shift = score_multipliers(scale, UNITS[family], PRODUCT_SHIFT if family == "octave" else MAX_SHIFT)
    constants: dict[str, Array] = {"multiplier": multipliers}
    if family == "octave":
        return SoftmaxOctave(shift=shift), constants | {"table": octave(top)}, top
    if family == "polynomial":
        return SoftmaxPolynomial(shift=shift, coefficients=scaled_cubic(top)), constants, top
    entries = np.floor(top * np.exp(-np.arange(TABLE_ENTRIES) / TABLE_STEPS) + 0.5).astype(np.uint8)
    return SoftmaxTable(shift=shift), constants | {"table": entries}, top


def focused_table(focus: Focus) -> Array:
    """Return what the codes of `exp(-i / TABLE_STEPS)` are worth, u8, up to the first that is worth least."""
    values = focus.values(np.exp(-np.arange(1 << 16) / TABLE_STEPS)).astype(np.uint8)
    return values[: int(values.argmin()) + 1]
