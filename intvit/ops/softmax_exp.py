"""What both softmax exponentials share: the distance to the row's maximum as a fixed-point power of two, and the row sum."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from intvit.ir.op import Bound, Op, Operand, require
from intvit.ir.tensor_type import TensorType
from intvit.numerics import S32, U8, Interval, IntType, rescale
from intvit.ops import body
from intvit.ops.add import broadcast_type
from intvit.ops.output import check_shift, rescale_bound

TOP = 255
"""The usual exponential of a row's maximum, and the largest there can be."""

DISTANCE_BODY = (
    "last = Constant <value_ints = [-1]> ()\n"
    + body.cast("x", body.INT64, "x_wide")
    + "top = ReduceMax <keepdims = 1> (x_wide, last)\n"
    + "below = Sub (top, x_wide)\n"
    + body.attribute("shift")
    + body.rescale("below", "multiplier", "shift", "distance")
)


def sum_body(element: int = body.UINT8) -> str:
    """Define `row_sum`, and `e` of an ONNX element type, from int64 `e_wide`."""
    return (
        body.cast("e_wide", body.INT32, "e_narrow")
        + "row_sum = ReduceSum <keepdims = 1> (e_narrow, last)\n"
        + body.cast("e_wide", element, "e")
    )


@dataclass(frozen=True, kw_only=True)
class SoftmaxExp(Op):
    """Base of `e ~ top exp(scale (x - rowmax))`, not yet divided by the row sum, which is at least `top`.

    Inputs: `x` s32 `[..., C]` (raw scores); `multiplier` s32, non-negative, broadcasting to x with last axis 1 (so a head may
    have its own scale). Outputs: `e` `codes`, x's shape; `row_sum` s32 `[..., 1]`.
    """

    input_names: ClassVar[tuple[str, ...]] = ("x", "multiplier")
    output_names: ClassVar[tuple[str, ...]] = ("e", "row_sum")
    codes: ClassVar[IntType] = U8
    shift: int

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        x, multiplier = inputs[:2]
        check_shift(self.shift)
        require(x.dtype == S32, f"x must be s32 scores, got {x.dtype}")
        require(x.batch_axis != len(x.shape) - 1, f"x must not carry the batch in its last axis, got {x}")
        require(
            multiplier.dtype == S32 and multiplier.shape[-1:] == (1,),
            f"multiplier must be s32[..., 1], got {multiplier}",
        )
        require(
            broadcast_type(x, multiplier, S32).shape == x.shape,
            f"multiplier must broadcast to x, got {multiplier} for {x}",
        )
        return TensorType(self.codes, x.shape, x.batch_axis), TensorType(S32, (*x.shape[:-1], 1), x.batch_axis)

    def bounds(self, inputs: Sequence[Operand]) -> tuple[tuple[Interval, ...], tuple[Bound, ...]]:
        x, multiplier = inputs[:2]
        bottom = int(multiplier.constant.min())
        require(bottom >= 0, f"multiplier must not be negative, found {bottom}")
        spread = Interval(0, x.interval.high - x.interval.low)
        factor = Interval(bottom, int(multiplier.constant.max()))
        _, claim = rescale_bound("distance", spread * factor, self.shift)
        values = Interval(0, self.largest())
        row_sum = Interval(self.top(inputs), values.high * x.type.shape[-1])
        return (values, row_sum), (claim, Bound("row sum", row_sum, S32))

    def top(self, inputs: Sequence[Operand]) -> int:
        """Return the exponential of each row's maximum, at least 1."""
        raise NotImplementedError

    def largest(self) -> int:
        """Return what no exponential exceeds."""
        return TOP

    def distance(self, x: NDArray[Any], multiplier: NDArray[Any]) -> NDArray[np.int64]:
        """Return `rescale(rowmax - x, multiplier, shift)`, never negative."""
        below: NDArray[np.int64] = x.max(-1, keepdims=True).astype(np.int64) - x
        return rescale(below, multiplier, self.shift)


def with_row_sum(e: NDArray[Any], codes: IntType = U8) -> tuple[NDArray[Any], ...]:
    """Return the exponentials as `codes` and their sums over the last axis as s32."""
    return e.astype(codes.dtype), e.sum(-1, keepdims=True).astype(np.int32)
