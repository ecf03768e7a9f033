"""SoftmaxPolynomial: the exponential as a shift by the integer part and a polynomial of the fraction of its power of two."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from intvit.ir.op import Bound, Operand, require
from intvit.ir.tensor_type import TensorType
from intvit.numerics import S32, Interval, IntType
from intvit.ops import body
from intvit.ops.softmax_exp import DISTANCE_BODY, TOP, SoftmaxExp, sum_body, with_row_sum

FRACTION_BITS = 15
"""Fraction bits of the distance to the maximum, in powers of two."""
VALUE_BITS = 7
"""Fraction bits of the exponential before it is rounded."""
MAX_SHIFT = 31 - VALUE_BITS
THRESHOLD_BITS = 4
THRESHOLDS = (1, 9, 5, 13, 3, 11, 7, 15)
"""What is added, in sixteenths, before the exponential of every eighth key is floored: bit-reversed order, as in ordered dither
(Bayer, 1973). Among many keys of little weight as many are rounded up as keeps the sum; a half would make them all 0."""

CHORD = (TOP << VALUE_BITS, -(TOP << VALUE_BITS) // 2, 0, 0)
"""2^-f ~ 1 - f/2, the straight line of I-ViT's Shiftmax (arXiv 2207.01405, eq. 12): at most 6.2 % too large."""
QUADRATIC = (TOP << VALUE_BITS, -21865, 5545, 0)
"""2^-f to within 0.28 %, exact at 0 and at 1."""
CUBIC = (TOP << VALUE_BITS, -22568, 7525, -1277)
"""2^-f to within 0.02 %, exact at 0 and at 1."""


def scaled_cubic(top: int) -> tuple[int, ...]:
    """Return the coefficients of `CUBIC` for a row maximum of `top`."""
    first, *others = (round(Fraction(c * top, TOP)) for c in CUBIC)
    return first, *others


def value_type(value_bits: int) -> IntType:
    """Return what exponentials with so many fraction bits before fit: the rest of 15 bits."""
    return IntType(FRACTION_BITS - value_bits, signed=False)


def polynomial_body(element: int, value_bits: int, threshold_bits: int, thresholds: tuple[int, ...]) -> str:
    """Return the function body for exponentials of an ONNX element type."""
    return (
        DISTANCE_BODY
        + body.constant("limit", (MAX_SHIFT << FRACTION_BITS) | ((1 << FRACTION_BITS) - 1))
        + body.at_most("distance", "limit", "near")
        + body.constant("unit", 1 << FRACTION_BITS)
        + "n = Div (near, unit)\nwhole = Mul (n, unit)\nf = Sub (near, whole)\n"
        + "c = Constant <value_ints: ints = @coefficients> ()\n"
        + "".join(body.constant(f"at{i}", i) + f"c{i} = Gather (c, at{i})\n" for i in range(4))
        + body.constant("point", FRACTION_BITS)
        + "p3 = Mul (c3, f)\n"
        + body.shift_right("p3", "point", "h3")
        + "h2 = Add (h3, c2)\np2 = Mul (h2, f)\n"
        + body.shift_right("p2", "point", "h2s")
        + "h1 = Add (h2s, c1)\np1 = Mul (h1, f)\n"
        + body.shift_right("p1", "point", "h1s")
        + "h0 = Add (h1s, c0)\n"
        + body.constant("dropped_bits", value_bits - threshold_bits)
        + "down = Add (n, dropped_bits)\n"
        + body.shift_right("h0", "down", "fine")
        + body.repeated("x", thresholds, "threshold")
        + "raised = Add (fine, threshold)\n"
        + body.constant("threshold_bits", threshold_bits)
        + body.shift_right("raised", "threshold_bits", "e_wide")
        + sum_body(element)
    )


@dataclass(frozen=True, kw_only=True)
class SoftmaxPolynomial(SoftmaxExp):
    """`e = (floor(p(f) / 2^(3+n)) + t_j) >> 4` where `2^15 (n + f) = rescale(rowmax - x, multiplier, shift)`.

    `p(f) ~ top 2^7 2^-f`, so this rounds `top 2^-(n+f)` with the threshold `t_j / 16`, `THRESHOLDS[j mod 8]` for the key j.

    `coefficients` are those of p, constant term first, evaluated by Horner with a floor after each product:
    `h = ((h f) >> 15) + c`. The constant term is top * 2^7, so the row's maximum gives top, 255 or less.
    """

    body: ClassVar[str] = polynomial_body(body.UINT8, VALUE_BITS, THRESHOLD_BITS, THRESHOLDS)
    value_bits: ClassVar[int] = VALUE_BITS
    threshold_bits: ClassVar[int] = THRESHOLD_BITS
    thresholds: ClassVar[tuple[int, ...]] = THRESHOLDS
    coefficients: tuple[int, ...]

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        small = all(abs(c) < 1 << 24 for c in self.coefficients)
        require(len(self.coefficients) == 4 and small, f"coefficients must be four below 2^24, got {self.coefficients}")
        whole = self.coefficients[0] % (1 << self.value_bits) == 0
        require(
            whole and 0 < self.coefficients[0] <= TOP << VALUE_BITS,
            f"the constant coefficient must be a multiple of {1 << self.value_bits} up to {TOP << VALUE_BITS}",
        )
        return super().infer(inputs)

    def top(self, inputs: Sequence[Operand]) -> int:
        return self.coefficients[0] >> self.value_bits

    def largest(self) -> int:
        return value_type(self.value_bits).high

    def bounds(self, inputs: Sequence[Operand]) -> tuple[tuple[Interval, ...], tuple[Bound, ...]]:
        outputs, claims = super().bounds(inputs)
        fraction = np.arange(1 << FRACTION_BITS, dtype=np.int64)
        products: list[Interval] = []
        value = self._horner(fraction, products)
        horner = products[0]
        for product in products:
            horner |= product
        dropped = self.value_bits - self.threshold_bits
        fine = Interval(int(value.min()) >> dropped, (int(value.max()) >> dropped) + max(self.thresholds))
        result = Bound(
            "exponential",
            Interval(fine.low >> self.threshold_bits, fine.high >> self.threshold_bits),
            value_type(self.value_bits),
        )
        return outputs, (*claims, Bound("polynomial", horner, S32), Bound("value with threshold", fine, S32), result)

    def _horner(self, f: NDArray[np.int64], products: list[Interval] | None = None) -> NDArray[np.int64]:
        h = np.zeros_like(f)
        for c in reversed(self.coefficients[1:]):
            product = (h + c) * f
            if products is not None:
                products.append(Interval(int(product.min()), int(product.max())))
            h = product >> FRACTION_BITS
        return h + self.coefficients[0]

    def reference(self, *inputs: NDArray[Any]) -> tuple[NDArray[Any], ...]:
        distance = self.distance(*inputs)
        near = np.minimum(distance, (MAX_SHIFT << FRACTION_BITS) | ((1 << FRACTION_BITS) - 1))
        n, f = near >> FRACTION_BITS, near & ((1 << FRACTION_BITS) - 1)
        fine = self._horner(f) >> (n + self.value_bits - self.threshold_bits)
        return with_row_sum((fine + np.resize(self.thresholds, f.shape[-1])) >> self.threshold_bits, self.codes)
