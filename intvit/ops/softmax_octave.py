"""SoftmaxOctave: the exponential as a table of one octave, shifted by the number of octaves."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from intvit.ir.op import Bound, Operand, require
from intvit.ir.tensor_type import TensorType
from intvit.numerics import S16, U8, Interval
from intvit.ops import body
from intvit.ops.softmax_exp import DISTANCE_BODY, TOP, SoftmaxExp, sum_body, with_row_sum
from intvit.ops.softmax_polynomial import THRESHOLD_BITS, THRESHOLDS

FRACTION_BITS, WHOLE_BITS = 6, 4
"""Of the distance to the maximum, in octaves."""
STEPS = 1 << FRACTION_BITS
LIMIT = (STEPS << WHOLE_BITS) - 1
"""The largest distance that is told apart; exponentials are 0 long before."""
PRODUCT_SHIFT = 32 - WHOLE_BITS - FRACTION_BITS
"""The usual shift: with it the upper bits of a product of 32 bits are the distance."""


def octave(top: int) -> NDArray[Any]:
    """Return `16 top 2^(-i / 64)`, rounded to the nearest, s16 [64], for a row maximum of `top`, 255 or less."""
    twice = [(2 * top << THRESHOLD_BITS) ** STEPS >> i for i in range(STEPS)]
    for _ in range(FRACTION_BITS):
        twice = [math.isqrt(n) for n in twice]
    return np.array([(n + 1) >> 1 for n in twice], np.int16)


@dataclass(frozen=True, kw_only=True)
class SoftmaxOctave(SoftmaxExp):
    """`e = ((table[f] >> n) + t_j) >> 4` where `64 n + f = min(rescale(rowmax - x, multiplier, shift), 1023)`, f below 64.

    So this rounds `table[f] / 2^(4 + n)` with the threshold `t_j / 16`, `THRESHOLDS[j mod 8]` for the key j, as
    `SoftmaxPolynomial` does. Third input: `table` s16 `[64]`, never rising or negative; its first entry, 16 times the row
    maximum's exponential, is 4080 at most.
    """

    input_names: ClassVar[tuple[str, ...]] = ("x", "multiplier", "table")
    value_bits: ClassVar[int] = THRESHOLD_BITS
    threshold_bits: ClassVar[int] = THRESHOLD_BITS
    thresholds: ClassVar[tuple[int, ...]] = THRESHOLDS
    body: ClassVar[str] = (
        DISTANCE_BODY
        + body.constant("limit", LIMIT)
        + body.at_most("distance", "limit", "near")
        + body.constant("steps", STEPS)
        + "n = Div (near, steps)\nwhole = Mul (n, steps)\nf = Sub (near, whole)\n"
        + "entry = Gather (table, f)\n"
        + body.cast("entry", body.INT64, "value")
        + body.shift_right("value", "n", "fine")
        + body.repeated("x", THRESHOLDS, "threshold")
        + "raised = Add (fine, threshold)\n"
        + body.constant("threshold_bits", THRESHOLD_BITS)
        + body.shift_right("raised", "threshold_bits", "e_wide")
        + sum_body()
    )

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        require(inputs[2] == TensorType(S16, (STEPS,)), f"table must be s16[{STEPS}], got {inputs[2]}")
        return super().infer(inputs)

    def bounds(self, inputs: Sequence[Operand]) -> tuple[tuple[Interval, ...], tuple[Bound, ...]]:
        table = inputs[2].constant
        falling, first = bool((table[1:] <= table[:-1]).all()) and int(table[-1]) >= 0, int(table[0])
        require(falling, "table must never rise or be negative")
        whole = first % (1 << THRESHOLD_BITS) == 0 and 0 < first <= TOP << THRESHOLD_BITS
        require(
            whole, f"table must start with a multiple of {1 << THRESHOLD_BITS} up to {TOP << THRESHOLD_BITS}, found {first}"
        )
        outputs, claims = super().bounds(inputs)
        return outputs, (*claims, Bound("exponential", Interval(0, self.top(inputs)), U8))

    def top(self, inputs: Sequence[Operand]) -> int:
        return int(inputs[2].constant[0]) >> THRESHOLD_BITS

    def reference(self, *inputs: NDArray[Any]) -> tuple[NDArray[Any], ...]:
        x, multiplier, table = inputs
        near = np.minimum(self.distance(x, multiplier), LIMIT)
        fine = table[near & (STEPS - 1)].astype(np.int64) >> (near >> FRACTION_BITS)
        return with_row_sum((fine + np.resize(THRESHOLDS, x.shape[-1])) >> THRESHOLD_BITS)
