"""Shiftmax: the softmax of I-ViT, whose exponential is a shift and a straight line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from intvit.ir.op import Bound, require
from intvit.ir.tensor_type import TensorType
from intvit.numerics import S63, Interval
from intvit.ops import body
from intvit.ops.softmax_normalized import DISTANCE_BODY, NORMALIZE_BODY, OCTAVES_BODY, SUM_LIMIT, SoftmaxNormalized, octaves


@dataclass(frozen=True, kw_only=True)
class Shiftmax(SoftmaxNormalized):
    """`e = floor((unit - r / 2) 2^(n - q))` with `min(octaves(rowmax - x), n unit) = q unit + r`, r below unit; N = 2^31 - 1.

    The integers of I-ViT's published code (arXiv 2207.01405, sec. 3.3; class `IntSoftmax`): with a score scale S, `unit` is
    `-floor(-1/S)`, and `n` is 15 there, 16 in its TVM version. The paper's formula rounds 1/S and does not limit the row sum.
    That code holds integers in float32, which is exact up to 2^24 only; where it rounds or exceeds 2^31, this operator has the
    exact value: a row sum beyond 2^31 - 1 counts as 2^31 - 1, and an exponential that could be is refused.
    """

    body: ClassVar[str] = (
        DISTANCE_BODY
        + OCTAVES_BODY
        + body.attribute("unit")
        + body.attribute("n")
        + "limit = Mul (n, unit)\n"
        + body.at_most("octaves", "limit", "near")
        + "q = Div (near, unit)\nwhole = Mul (q, unit)\nr = Sub (near, whole)\n"
        + "double = Mul (two, unit)\nline = Sub (double, r)\n"
        + "up = Sub (n, q)\n"
        + body.power_of_two("up", "gain")
        + "double_e = Mul (line, gain)\ne = Div (double_e, two)\n"
        + body.constant("numerator", SUM_LIMIT)
        + body.constant("numerator_bits", 31)
        + NORMALIZE_BODY
    )
    unit: int
    n: int

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        require(1 <= self.unit < 1 << 31, f"unit must lie in [1, 2^31), got {self.unit}")
        require(1 <= self.n <= 30, f"n must lie in [1, 30], got {self.n}")
        return super().infer(inputs)

    def inner_bounds(self, distance: Interval) -> tuple[Bound, ...]:
        return (Bound("shifted line", Interval(0, (2 * self.unit) << self.n), S63),)

    def exponential(self, distance: NDArray[np.int64]) -> NDArray[np.int64]:
        near = np.minimum(octaves(distance), self.n * self.unit)
        q, r = np.divmod(near, self.unit)
        result: NDArray[np.int64] = ((2 * self.unit - r) << (self.n - q)) >> 1
        return result

    def numerator(self) -> tuple[int, int]:
        return SUM_LIMIT, 31
