"""GeluShift: `x sigmoid(1.702 x)` by shifts, I-ViT's ShiftGELU."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from intvit.ir.op import Bound, require
from intvit.ir.tensor_type import TensorType
from intvit.numerics import S8, S63, Interval, IntType
from intvit.ops import body
from intvit.ops.gelu import RESCALE_BODY, ScaledGelu

SIGMOID_BITS = 7
"""Fraction bits of the sigmoid."""
NUMERATOR = (1 << 31) - 1
"""What is divided by the sum of exponentials; the sum is limited to it."""
MAX_UNIT = 1 << 20
MAX_N = 31
_SUM_BITS = 32
"""An exponential shifted left by this much is beyond the limit of the sum, whatever it is."""
_LIFT = 256
"""More units than the distance of an s8 code, times 1.4375, ever has."""
_SIGMOID_SHIFT = 31 - SIGMOID_BITS


def _exponential_body(d: str, y: str) -> str:
    """Define `y = exponential(d)`; the numerator of the division is lifted above zero, since ONNX `Div` truncates."""
    return (
        body.shift_right(d, "one", f"{y}_half")
        + body.shift_right(d, "four", f"{y}_sixteenth")
        + f"{y}_more = Add ({d}, {y}_half)\n{y}_octaves = Sub ({y}_more, {y}_sixteenth)\n"
        + body.at_least(f"{y}_octaves", "lowest", f"{y}_p")
        + f"{y}_lifted = Sub (lifted_zero, {y}_p)\n{y}_turns = Div ({y}_lifted, unit)\n{y}_q = Sub ({y}_turns, lift)\n"
        + f"{y}_whole = Mul ({y}_q, unit)\n{y}_r = Add ({y}_p, {y}_whole)\n{y}_line = Add ({y}_r, two_units)\n"
        + f"{y}_rise = Sub (n, {y}_q)\n"
        + body.at_most(f"{y}_rise", "sum_bits", f"{y}_left")
        + body.power_of_two(f"{y}_left", f"{y}_power")
        + f"{y}_twice = Mul ({y}_line, {y}_power)\n{y} = Div ({y}_twice, two)\n"
    )


@dataclass(frozen=True, kw_only=True)
class GeluShift(ScaledGelu):
    """ShiftGELU in I-ViT's published code (arXiv 2207.01405, sec. 3.4; class IntGELU), in integers that can't wrap.

    For a scale S of x, `unit = -floor(-1 / (1.702 S))` is one octave of e^(1.702 x), up to the factor 1.4375 ~ log2(e):
        exponential(d):  p = max(d + (d >> 1) - (d >> 4), -n unit);  q = floor(-p / unit);  r = p + q unit   in (-unit, 0]
                         floor((r + 2 unit) 2^(n - q) / 2)
        top = max of x over the last axis;  e = exponential(x - top);  e0 = exponential(-top)
        s = min(e + e0, 2^31 - 1);  sigmoid = (e floor((2^31 - 1) / s)) >> 24           with 7 fraction bits
        y = clip(rescale(x sigmoid, multiplier, shift) + zero_point)

    Where a row's maximum is far below zero, e0 has no bound; from 2^31 on it is not told apart, as the sum is limited to less.
    Where `unit 2^n >= 2^31` the limit of the sum makes the sigmoid exceed one, as it does in the published code.

    Inputs: as `ScaledGelu`; x is s8. `value(x) = x sigmoid` has scale S / 2^7.

    Attributes:
        unit: 1 to 2^20.
        n: the exponential's range in octaves, 0 to 31; I-ViT takes 23.
    """

    input_types: ClassVar[tuple[IntType, ...]] = (S8,)
    body: ClassVar[str] = (
        body.cast("x", body.INT64, "x_wide")
        + body.attribute("unit")
        + body.attribute("n")
        + body.constant("one", 1)
        + body.constant("two", 2)
        + body.constant("four", 4)
        + body.constant("lift", _LIFT)
        + body.constant("sum_bits", _SUM_BITS)
        + "two_units = Mul (unit, two)\nlifted_zero = Mul (unit, lift)\nreach = Mul (n, unit)\nlowest = Neg (reach)\n"
        + "last = Constant <value_ints = [-1]> ()\ntop = ReduceMax <keepdims = 1> (x_wide, last)\n"
        + "distance = Sub (x_wide, top)\nbelow = Neg (top)\n"
        + _exponential_body("distance", "e")
        + _exponential_body("below", "e0")
        + body.constant("numerator", NUMERATOR)
        + "sum = Add (e, e0)\n"
        + body.at_most("sum", "numerator", "limited")
        + "factor = Div (numerator, limited)\nproduct = Mul (e, factor)\n"
        + body.constant("sigmoid_shift", _SIGMOID_SHIFT)
        + body.shift_right("product", "sigmoid_shift", "sigmoid")
        + "value = Mul (x_wide, sigmoid)\n"
        + RESCALE_BODY
    )
    unit: int
    n: int

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        require(1 <= self.unit <= MAX_UNIT, f"unit must lie in [1, {MAX_UNIT}], got {self.unit}")
        require(0 <= self.n <= MAX_N, f"n must lie in [0, {MAX_N}], got {self.n}")
        return super().infer(inputs)

    def value_bounds(self, x: Interval) -> tuple[Interval, tuple[Bound, ...]]:
        e, e0 = Interval(0, self.unit << self.n), Interval(0, self.unit << _SUM_BITS)
        # e <= s while the sum is not limited, so e floor(N / s) <= N; where it is, the factor is 1
        product = Interval(0, max(NUMERATOR, e.high))
        claims = (Bound("exponential", (e | e0) * 2, S63), Bound("sum", e + e0, S63), Bound("reciprocal product", product, S63))
        return x * (product >> _SIGMOID_SHIFT), claims

    def value(self, x: NDArray[np.int64]) -> NDArray[np.int64]:
        return x * self.sigmoid(x, x.max(-1, keepdims=True))

    def sigmoid(self, x: NDArray[np.int64], top: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the sigmoid of codes with 7 fraction bits, given the largest code of each row."""
        e = self.exponential(x - top)
        limited = np.minimum(e + self.exponential(-top), NUMERATOR)
        sigmoid: NDArray[np.int64] = (e * (NUMERATOR // limited)) >> _SIGMOID_SHIFT
        return sigmoid

    def exponential(self, d: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return `unit 2^n e^(1.702 S d)` by shifts, int64 of d's shape; from 2^31 on only that it is so large."""
        p = np.maximum(d + (d >> 1) - (d >> 4), -self.n * self.unit)
        q = -p // self.unit
        line = p + q * self.unit + 2 * self.unit
        e: NDArray[np.int64] = (line << np.minimum(self.n - q, _SUM_BITS)) >> 1
        return e
