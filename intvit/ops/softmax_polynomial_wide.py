"""SoftmaxPolynomialWide: the same exponential with 14 bits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from intvit.numerics import S16, IntType
from intvit.ops import body
from intvit.ops.softmax_polynomial import SoftmaxPolynomial, polynomial_body, value_type

WIDE_VALUE_BITS = 1
"""Fraction bits of the exponential before it is rounded."""
WIDE_VALUES = value_type(WIDE_VALUE_BITS)
"""What the exponentials fit."""


@dataclass(frozen=True, kw_only=True)
class SoftmaxPolynomialWide(SoftmaxPolynomial):
    """`SoftmaxPolynomial` of 14 bits: `e = round(p(f) / 2^(1+n))`, s16, never negative; a row's maximum gives at most 16320."""

    body: ClassVar[str] = polynomial_body(body.INT16, WIDE_VALUE_BITS, 1, (1,))
    value_bits: ClassVar[int] = WIDE_VALUE_BITS
    threshold_bits: ClassVar[int] = 1
    thresholds: ClassVar[tuple[int, ...]] = (1,)
    codes: ClassVar[IntType] = S16
