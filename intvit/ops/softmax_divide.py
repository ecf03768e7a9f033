"""SoftmaxDivide: the deferred division by softmax's row sum, with the requantization in the same rounding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from intvit.ir.op import Bound, Operand, require
from intvit.ir.tensor_type import TensorType
from intvit.numerics import S32, S63, S64, Interval
from intvit.ops import body
from intvit.ops.add import broadcast_type
from intvit.ops.output import RequantizingOp, check_shift, rescale_bound


@dataclass(frozen=True, kw_only=True)
class SoftmaxDivide(RequantizingOp):
    """`y = clip(rescale(x, numerator // row_sum, shift) + zero_point)`: one division a row, one multiply an element.

    Inputs: `x` u8/s32 `[..., T, C]` (the exponentials, or their product with the values); `row_sum` s32 `[..., T, 1]`, at least
    255; `numerator` s64, positive, broadcasting to row_sum (so a head may have its own scale): the output scale factor
    times 2^shift. Output: `to`, x's shape.
    """

    input_names: ClassVar[tuple[str, ...]] = ("x", "row_sum", "numerator")
    body: ClassVar[str] = (
        body.cast("row_sum", body.INT64, "divisor")
        + "factor = Div (numerator, divisor)\n"
        + body.attribute("shift")
        + body.rescale("x", "factor", "shift", "scaled")
        + body.output("scaled")
    )
    shift: int

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        x, row_sum, numerator = inputs
        self.check_output()
        check_shift(self.shift)
        require(
            row_sum.dtype == S32 and row_sum.shape == (*x.shape[:-1], 1) and row_sum.batch_axis == x.batch_axis,
            f"row_sum must be s32, one a row of {x}, got {row_sum}",
        )
        require(numerator.dtype == S64, f"numerator must be s64, got {numerator}")
        result = broadcast_type(row_sum, numerator, S32)
        require(result.shape == row_sum.shape, f"numerator must broadcast to {row_sum}, got {numerator}")
        return (TensorType(self.to, x.shape, x.batch_axis),)

    def bounds(self, inputs: Sequence[Operand]) -> tuple[tuple[Interval, ...], tuple[Bound, ...]]:
        x, row_sum, numerator = inputs
        require(row_sum.interval.low >= 1, f"row_sum must be positive, its range is {row_sum.interval}")
        top, bottom = int(numerator.constant.max()), int(numerator.constant.min())
        require(bottom >= 0, f"numerator must not be negative, found {bottom}")
        factor = Interval(bottom // row_sum.interval.high, top // row_sum.interval.low)
        scaled, claim = rescale_bound("rescale", x.interval * factor, self.shift)
        return (self.finish_interval(scaled),), (Bound("numerator", Interval(bottom, top), S63),
                                                 Bound("row factor", factor, S32), claim)  # fmt: skip

    def reference(self, *inputs: NDArray[Any]) -> tuple[NDArray[Any], ...]:
        x, row_sum, numerator = (v.astype(np.int64) for v in inputs)
        factor = numerator // row_sum
        return (self.finish((x * factor + (1 << (self.shift - 1))) >> self.shift),)
