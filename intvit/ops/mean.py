"""Mean: the average over some axes (global pooling), rescaled in the same rounding."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from intvit.ir.op import Bound, Operand, require
from intvit.ir.tensor_type import TensorType
from intvit.numerics import S32, Interval, rescale
from intvit.ops import body
from intvit.ops.output import RequantizingOp, check_shift, rescale_bound


@dataclass(frozen=True, kw_only=True)
class Mean(RequantizingOp):
    """`y = clip(rescale(sum of x over axes, multiplier, shift) + zero_point)`; `multiplier` holds one over the count.

    Input: `x` of at most 16 bits. Output: `to`, x's shape with the axes kept as 1.
    """

    input_names: ClassVar[tuple[str, ...]] = ("x",)
    body: ClassVar[str] = (
        body.cast("x", body.INT64, "x_wide")
        + "over = Constant <value_ints: ints = @axes> ()\n"
        + "total = ReduceSum <keepdims = 1> (x_wide, over)\n"
        + body.attribute("multiplier")
        + body.attribute("shift")
        + body.rescale("total", "multiplier", "shift", "scaled")
        + body.output("scaled")
    )
    axes: tuple[int, ...]
    multiplier: int
    shift: int

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        (x,) = inputs
        self.check_output()
        check_shift(self.shift)
        require(0 <= self.multiplier < 1 << 31, f"multiplier must lie in [0, 2^31), got {self.multiplier}")
        require(x.dtype.bits <= 16, f"x must have at most 16 bits, got {x.dtype}")
        require(len(self.axes) == len(set(self.axes)) > 0, f"axes must be distinct and at least one, got {self.axes}")
        require(all(0 <= a < len(x.shape) for a in self.axes), f"axes {self.axes} must be axes of {x}")
        require(x.batch_axis not in self.axes, f"axes {self.axes} must not hold the batch axis of {x}")
        return (TensorType(self.to, tuple(1 if i in self.axes else d for i, d in enumerate(x.shape)), x.batch_axis),)

    def bounds(self, inputs: Sequence[Operand]) -> tuple[tuple[Interval, ...], tuple[Bound, ...]]:
        (x,) = inputs
        total = x.interval * math.prod(x.type.shape[a] for a in self.axes)
        scaled, claim = rescale_bound("rescale", total * self.multiplier, self.shift)
        return (self.finish_interval(scaled),), (Bound("sum", total | Interval(0, 0), S32), claim)

    def reference(self, *inputs: NDArray[Any]) -> tuple[NDArray[Any], ...]:
        total = inputs[0].astype(np.int64).sum(self.axes, keepdims=True)
        return (self.finish(rescale(total, self.multiplier, self.shift)),)
