"""GELU in fixed point: the bump as a polynomial or as a table."""

from __future__ import annotations

import functools
import math
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intvit.numerics.dyadic import MULTIPLIER_BITS
from intvit.ops import GeluPolynomial, GeluTable
from intvit.ops.gelu import TAIL, VALUE_BITS
from intvit.ops.gelu_polynomial import DEGREE_8
from intvit.quantize.float_graph import FloatNode
from intvit.quantize.lower.context import Context, Lowered
from intvit.quantize.lower.gelu_form import GeluForm

TABLE_BITS = 12
"""The most bits of an index of `table`."""
BYTE_INDEX_BITS = 8
"""The most bits of an index of `byte-table`."""
BYTE_VALUE_BITS = 10
"""The most fraction bits of a bump with which its largest, 0.17, fits a byte."""
WORD_BITS = 15
"""The bits of a multiplier that lanes of 16 bits hold."""
STEP = Fraction(1, 1 << VALUE_BITS)


def gelu_polynomial(context: Context, node: FloatNode, source: Lowered) -> GeluForm:
    """Return the form of `GeluPolynomial`."""
    bits = _fraction_bits(source)
    return GeluForm(STEP, functools.partial(GeluPolynomial, fraction_bits=bits, coefficients=DEGREE_8))


def gelu_table(context: Context, node: FloatNode, source: Lowered) -> GeluForm:
    """Return the form of `GeluTable` with a large table."""
    return large_table(_fraction_bits(source))


def gelu_byte_table(context: Context, node: FloatNode, source: Lowered) -> GeluForm:
    """Return the form of `GeluTable` with 256 bytes."""
    return byte_table(_fraction_bits(source))


def large_table(fraction_bits: int) -> GeluForm:
    """Return the form of `GeluTable` for x with these fraction bits, with at most 4096 entries of 15."""
    return _table_form(fraction_bits, TABLE_BITS, VALUE_BITS)


def byte_table(fraction_bits: int) -> GeluForm:
    """Return the form of `GeluTable` with at most 256 entries of 8 bits, and multipliers for products of words."""
    value_bits = min(fraction_bits, BYTE_VALUE_BITS)
    return _table_form(fraction_bits, BYTE_INDEX_BITS, value_bits, WORD_BITS - (fraction_bits - value_bits))


def _table_form(fraction_bits: int, index_bits: int, value_bits: int, multiplier_bits: int = MULTIPLIER_BITS) -> GeluForm:
    index_shift = max(0, fraction_bits + TAIL.bit_length() - 1 - index_bits)
    make = functools.partial(GeluTable, fraction_bits=fraction_bits, index_shift=index_shift)
    table = bump_table(fraction_bits, index_shift, value_bits)
    return GeluForm(STEP, make, {"table": table}, multiplier_bits)


def _fraction_bits(source: Lowered) -> int:
    return round(-math.log2(float(source.encoding.scale.reshape(-1)[0])))


def bump_table(fraction_bits: int, index_shift: int, value_bits: int) -> NDArray[Any]:
    """Return `2^15 t Phi(-t)` at the middle of every entry's range, s16, the nearest that has so many fraction bits."""
    entries = TAIL << (fraction_bits - index_shift)
    middle = (np.arange(entries) + (0.5 - 0.5 / (1 << index_shift))) * 2.0 ** (index_shift - fraction_bits)
    bump = np.array([t * 0.5 * math.erfc(t / math.sqrt(2)) for t in middle])
    return (np.floor(bump * (1 << value_bits) + 0.5) * (1 << (VALUE_BITS - value_bits))).astype(np.int16)
