"""Requantize: change a tensor's scale, zero point and type."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from intvit.ir.op import Bound, Operand, require
from intvit.ir.tensor_type import TensorType
from intvit.numerics import S32, Interval, rescale
from intvit.ops import body
from intvit.ops.add import broadcast_type
from intvit.ops.output import RequantizingOp, check_shift, rescale_bound


@dataclass(frozen=True, kw_only=True)
class Requantize(RequantizingOp):
    """`y = clip(rescale(x - input_zero_point, multiplier, shift) + zero_point)`.

    Inputs: `x` of any integer type; `multiplier` s32, non-negative, of a shape that broadcasts to x's (per tensor: `[1]`; per
    channel: `[C]`). Output: `to`, x's shape.
    """

    input_names: ClassVar[tuple[str, ...]] = ("x", "multiplier")
    body: ClassVar[str] = (
        body.cast("x", body.INT64, "x_wide")
        + body.attribute("input_zero_point")
        + "centred = Sub (x_wide, input_zero_point)\n"
        + body.attribute("shift")
        + body.rescale("centred", "multiplier", "shift", "scaled")
        + body.output("scaled")
    )
    shift: int
    input_zero_point: int = 0

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        x, multiplier = inputs
        self.check_output()
        check_shift(self.shift)
        require(multiplier.dtype == S32, f"multiplier must be s32, got {multiplier.dtype}")
        result = broadcast_type(x, multiplier, self.to)
        require(result.shape == x.shape, f"multiplier must broadcast to x, got {multiplier} for {x}")
        return (result,)

    def bounds(self, inputs: Sequence[Operand]) -> tuple[tuple[Interval, ...], tuple[Bound, ...]]:
        x, multiplier = inputs
        factor = Interval(int(multiplier.constant.min()), int(multiplier.constant.max()))
        scaled, claim = rescale_bound("rescale", (x.interval - self.input_zero_point) * factor, self.shift)
        return (self.finish_interval(scaled),), (claim,)

    def reference(self, *inputs: NDArray[Any]) -> tuple[NDArray[Any], ...]:
        x, multiplier = inputs
        return (self.finish(rescale(x.astype(np.int64) - self.input_zero_point, multiplier, self.shift)),)
