"""GELU in fixed point: the bump as a polynomial or as a table."""

from __future__ import annotations

import functools
import math
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intvit.ops import GeluPolynomial, GeluTable
from intvit.ops.gelu import TAIL, VALUE_BITS
from intvit.ops.gelu_polynomial import DEGREE_8
from intvit.quantize.float_graph import FloatNode
from intvit.quantize.lower.context import Context, Lowered
from intvit.quantize.lower.gelu_form import GeluForm

TABLE_BITS = 12
STEP = Fraction(1, 1 << VALUE_BITS)


def gelu_polynomial(context: Context, node: FloatNode, source: Lowered) -> GeluForm:
    """Return the form of `GeluPolynomial`."""
    bits = _fraction_bits(source)
    return GeluForm(STEP, functools.partial(GeluPolynomial, fraction_bits=bits, coefficients=DEGREE_8))


def gelu_table(context: Context, node: FloatNode, source: Lowered) -> GeluForm:
    """Return the form of `GeluTable`."""
    bits = _fraction_bits(source)
    index_shift = max(0, bits + TAIL.bit_length() - 1 - TABLE_BITS)
    make = functools.partial(GeluTable, fraction_bits=bits, index_shift=index_shift)
    return GeluForm(STEP, make, {"table": bump_table(bits, index_shift)})


def _fraction_bits(source: Lowered) -> int:
    return round(-math.log2(float(source.encoding.scale.reshape(-1)[0])))


def bump_table(fraction_bits: int, index_shift: int) -> NDArray[Any]:
    """Return `2^15 t Phi(-t)` at the middle of every entry's range, s16."""
    entries = TAIL << (fraction_bits - index_shift)
    middle = (np.arange(entries) + (0.5 - 0.5 / (1 << index_shift))) * 2.0 ** (index_shift - fraction_bits)
    bump = [t * 0.5 * math.erfc(t / math.sqrt(2)) for t in middle]
    return np.floor(np.array(bump) * (1 << VALUE_BITS) + 0.5).astype(np.int16)
