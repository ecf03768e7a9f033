"""What the softmaxes of the papers share: they end in probabilities, by one integer division a row."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from intvit.ir.op import Bound, Op, Operand, require
from intvit.ir.tensor_type import TensorType
from intvit.numerics import S8, S16, S32, S63, Interval, IntType
from intvit.ops import body

SUM_LIMIT = (1 << 31) - 1
"""Row sums count as at most this much."""

DISTANCE_BODY = (
    "last = Constant <value_ints = [-1]> ()\n"
    + body.cast("x", body.INT64, "x_wide")
    + "x_top = ReduceMax <keepdims = 1> (x_wide, last)\n"
    + "distance = Sub (x_top, x_wide)\n"
)
OCTAVES_BODY = (
    body.constant("two", 2)
    + body.constant("sixteen", 16)
    + body.constant("one", 1)
    + body.constant("fifteen", 15)
    + "distance_1 = Add (distance, one)\nhalf = Div (distance_1, two)\n"
    + "distance_15 = Add (distance, fifteen)\nsixteenth = Div (distance_15, sixteen)\n"
    + "more = Add (distance, half)\noctaves = Sub (more, sixteenth)\n"
)
NORMALIZE_BODY = (
    "whole_sum = ReduceSum <keepdims = 1> (e, last)\n"
    + body.constant("sum_limit", SUM_LIMIT)
    + body.at_most("whole_sum", "sum_limit", "row_sum")
    + "factor = Div (numerator, row_sum)\n"
    + "product = Mul (e, factor)\n"
    + body.attribute("bits")
    + body.constant("sign", 1)
    + "fraction_bits = Sub (bits, sign)\n"
    + "down = Sub (numerator_bits, fraction_bits)\n"
    + body.shift_right("product", "down", "probability")
    + body.power_of_two("fraction_bits", "unity")
    + "top = Sub (unity, sign)\n"
    + body.at_most("probability", "top", "code")
    + "y = Cast <to: int = @to> (code)\n"
)
"""Needs int64 `e`, `numerator` and `numerator_bits`."""


@dataclass(frozen=True, kw_only=True)
class SoftmaxNormalized(Op):
    """Base of `y = min((e (N // min(sum e, 2^31 - 1))) >> (log2 N - bits + 1), 2^(bits-1) - 1)`, with `e(rowmax - x)`.

    Inputs: `x` s8/s16 `[..., C]`, scores of one scale, from which the attributes were made. Output: `to` (s8 or s16), of x's
    shape: probabilities in steps of `2^-(bits-1)`, at most `2^(bits-1) - 1`. All divisions floor, so a row sums to at most one,
    unless its sum was limited.
    """

    input_names: ClassVar[tuple[str, ...]] = ("x",)
    to: IntType
    bits: int

    @abstractmethod
    def exponential(self, distance: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return `e` for distances to the row's maximum: positive at 0, nowhere negative."""

    @abstractmethod
    def numerator(self) -> tuple[int, int]:
        """Return what is divided by a row's sum, and the bits that a whole then has."""

    @abstractmethod
    def inner_bounds(self, distance: Interval) -> tuple[Bound, ...]:
        """Return a claim for every intermediate of `exponential` that could overflow."""

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        (x,) = inputs
        require(x.dtype in (S8, S16), f"x must be s8 or s16, got {x.dtype}")
        require(x.batch_axis != len(x.shape) - 1, f"x must not carry the batch in its last axis, got {x}")
        require(self.to in (S8, S16), f"the output type must be s8 or s16, got {self.to}")
        require(2 <= self.bits <= self.to.bits, f"bits must lie in [2, {self.to.bits}], got {self.bits}")
        return (TensorType(self.to, x.shape, x.batch_axis),)

    def bounds(self, inputs: Sequence[Operand]) -> tuple[tuple[Interval, ...], tuple[Bound, ...]]:
        (x,) = inputs
        distance = Interval(0, x.interval.high - x.interval.low)
        claims = self.inner_bounds(distance)
        if not all(claim.holds for claim in claims):
            return (Interval(0, self.top),), claims
        e = self.exponential(np.arange(distance.high + 1, dtype=np.int64))
        values = Interval(int(e.min()), int(e.max()))
        require(values.low >= 0 and e[0] > 0, f"exponentials must not be negative, and positive at 0; they lie in {values}")
        sums = Interval(int(e[0]), values.high * x.type.shape[-1])
        numerator, bits = self.numerator()
        product = numerator if sums.high <= SUM_LIMIT else max(numerator, values.high * (numerator // SUM_LIMIT))
        claims += (
            Bound("exponential", values, S32),
            Bound("row sum", sums, S63),
            Bound("probability", Interval(0, product), S63),
        )
        return (Interval(0, min(product >> (bits - self.bits + 1), self.top)),), claims

    @property
    def top(self) -> int:
        """The largest code."""
        return (1 << (self.bits - 1)) - 1

    def reference(self, *inputs: NDArray[Any]) -> tuple[NDArray[Any], ...]:
        x = inputs[0].astype(np.int64)
        e = self.exponential(x.max(-1, keepdims=True) - x)
        row_sum = np.minimum(e.sum(-1, keepdims=True), SUM_LIMIT)
        numerator, bits = self.numerator()
        probability = (e * (numerator // row_sum)) >> (bits - self.bits + 1)
        return (np.minimum(probability, self.top).astype(self.to.dtype),)


def octaves(distance: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return `-(d + floor(d / 2) - floor(d / 16))` for `d = -distance`: 1.0111b for log2 e (I-ViT, arXiv 2207.01405)."""
    result: NDArray[np.int64] = distance + ((distance + 1) >> 1) - ((distance + 15) >> 4)
    return result
